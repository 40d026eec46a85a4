"""Steps of a story, each with what it said (null: it did what it should)."""
import time

rows = []


def step(what):
    def run(work):
        try:
            found = work()
            rows.append([what, None if found else f'it says {found!r}'])
        except Exception as error:
            rows.append([what, f'{type(error).__name__}: {error}'])
    return run


def within(test, seconds=120):
    ending = time.time() + seconds
    while time.time() < ending:
        if test():
            return True
        time.sleep(0.2)
    raise TimeoutError('not in time')
