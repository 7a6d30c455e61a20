"""The run store: one HDF5 file per run, replaced as a whole and never edited.

Each module answers one question; import the one you need. Only `encode`, `decode`, `reader`, `writer`, `restore` and
`pack` load numpy and h5py, so listing runs and looking at headers stays quick.

    header    what a file says about itself in its first 4096 bytes
    record    everything a store holds, as plain data
    reader    read and verify a whole store
    writer    encode a record and put it in place of the old store, in front of or behind the training loop
    restore   put the previous generation back
    lock      one writer at a time, and who it is
    listing   the runs below a directory
    pack      photographs in one file, a container of its own: what is in it; pack_index and pack_file write it
"""
