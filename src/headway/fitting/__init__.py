"""Fitting: calibration numbers from measurements, intervals from what a fit has not seen, profiles, and your own."""
