"""What real machines and servers do, measured: beside what the roofline says of them."""
