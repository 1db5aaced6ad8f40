"""The checks of `netfeed doctor`, one file a topic: each looks, and says what it found with its remedy.

A check changes nothing but for a moment what it has to try: a socket that is opened, a thread that asks for a priority.
"""
