"""What is printed: plans, searches, racks, drafting, the lecture's headlines, and where numbers came from. Text only.

A file per verb; a verb imports only its own.
"""
