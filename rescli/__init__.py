"""The networks, training and analyses of "Deep Residual Learning for Image Recognition", on the command line."""

__version__ = "0.1.0"
