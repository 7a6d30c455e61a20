"""Data sets, and the order and augmentation of their images.

Each module answers one question; import the one you need. `names`, `locate`, `fetch` and `files` load neither torch nor numpy.

All of them:
    names       which data sets there are
    locate      where the files of one are
    fetch       download one
    files       whether its files are the published ones
    mean        the mean image that every input has subtracted
    order       the permutation, crops and flips of an epoch

CIFAR and the built-in images, which lie in memory:
    read        load one, or check its files
    synthetic   the built-in one, made from counter-based random bits; `shapes` and textures of it
    dataset     what they all are in memory
    split       which training images are held out
    feed        batches as they enter a network, made on the device

ImageNet and other folders of photographs, which are decoded as they are needed:
    listing     which images a folder holds, and of which classes; `truth` and `devkit` read classes from files
    chosen      those of them that can be decoded
    packing     what becomes of one on its way into a file of all; `packed` reads that file
    decode      files to pixels, many at a time; `gpu` has the GPU do it
    scaled      augmentation in training: scale, crop, mirror, colour
    views       the views of an image that are tested
    pixels      pixels to the inputs of a net
    photographs batches for a worker, center crops, the mean image
    stream      training batches, decoded ahead of whoever takes them
    folder      center crops as inputs of a net, for the analyses
"""
