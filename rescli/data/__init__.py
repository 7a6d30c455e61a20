"""Data sets, and the order and augmentation of their images.

Each module answers one question; import the one you need. `names` and `locate` load neither torch nor numpy.

    names       which data sets there are
    locate      where the files of one are
    fetch       download one
    read        load one into memory, or check its files
    synthetic   the built-in one, made from counter-based random bits
    dataset     what they all are in memory
    split       which training images are held out
    mean        the mean image that every input has subtracted
    order       the permutation, crops and flips of an epoch
    feed        batches as they enter a network, made on the device
"""
