"""The tape: the journal of turns. Record it, read it, replay it.

codec.py      events, intents and the state, to bytes and back
format.py     what stands in a file, and in which order
plan.py       what a desk and its guards are built from again
folder.py     which files there are, and which must go
writer.py     the thread that compresses and writes
recorder.py   what the runner hands its turns to
reader.py     a file, turn by turn, as far as it is sound
replay.py     the same turns again: every intent compared byte for byte
words.py      a turn in words
"""
