# SPDX-License-Identifier: Apache-2.0
"""Work beside each other: processes, for threads of Python wait for each other, and one's files are open in what another has just started."""
import concurrent.futures
import multiprocessing

_work = None


def _one(index):
    function, cases = _work
    return function(*cases[index])


def shares(cases, jobs):
    """The cases in order, as many neighbours for each lane: a disk that is brought forward is not brought back."""
    size = -(-len(cases) // jobs)
    return [cases[lane * size:(lane + 1) * size] for lane in range(jobs)]


def each(function, cases, jobs, together=1):
    """[function(*case), …]. The processes are forked here: function and cases may be anything, only results are sent. `together`: so many
    neighbours are one process's."""
    global _work  # pylint: disable=global-statement
    _work = function, list(cases)
    context = multiprocessing.get_context("fork")
    with concurrent.futures.ProcessPoolExecutor(jobs, context) as pool:
        return list(pool.map(_one, range(len(_work[1])), chunksize=together))
