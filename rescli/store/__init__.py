"""The run store: one HDF5 file per run, replaced as a whole and never edited.

Each module answers one question; import the one you need. The first group loads neither numpy nor h5py, so listing runs and
looking at headers stays quick.

    files       the names of a run's files, and reading them without surprises
    header      what a file says about itself in its first 4096 bytes
    problems    what can be wrong with a file
    listing     the runs below a directory
    lock        one writer at a time; `owner` says who it is
    replace     a new file in place of the old one
    target      the place of a file that is no run
    record      everything a store holds, as plain data

    encode      a record to bytes, and `decode` back
    reader      read and verify a whole store
    writer      write one, in front of or behind the training loop
    restore     put the previous generation back
    annotate    add the results of an analysis
    tested      the result of a test on ImageNet
    network     weights without a run
    predictions scores of every image
    dump        arrays out of somebody else's HDF5 file
    pack        photographs in one file, a container of its own: what is in it; `pack_index`, `pack_file` and `front` write it
"""
