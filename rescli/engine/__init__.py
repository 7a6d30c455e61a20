"""The loop: train, evaluate, stop, resume. Knows no device (`backends`) and no file format (`store`)."""
