/**
 * Acting in another network namespace without starting a process.
 *
 * The calling thread enters the namespace, does one synchronous thing there, and comes back before
 * any other code of the daemon can run. What it made there (a netlink socket) keeps working from
 * anywhere: a socket stays in the namespace it was made in.
 */
import { closeSync, openSync, statSync } from 'node:fs'
import type { Libc } from '../libc.ts'

/** Of the calling thread. */
const OWN = '/proc/thread-self/ns/net'

/** Does something synchronous in one network namespace. */
export type Inside = <T>(act: () => T) => T

/** In the calling thread's own. */
export const here: Inside = (act) => act()

/** An open handle on a network namespace. It keeps the namespace alive: close it. */
export interface NamespaceHandle {
  readonly fd: number
  close(): void
}

/**
 * Opens the network namespace of a process. Throws the kernel's error (`ENOENT` when there is no
 * such process).
 */
export function openNamespace(pid: number): NamespaceHandle {
  const fd = openSync(`/proc/${pid}/ns/net`, 'r')
  return { fd, close: () => closeSync(fd) }
}

/** The inode of the calling thread's namespace. */
export function currentNamespace(): number {
  return statSync(OWN).ino
}

/**
 * Makes a network namespace. It lives as long as the handle, something made in it, or a name
 * (`vpc-namespaces.ts`).
 */
export function makeNamespace(libc: Libc): NamespaceHandle {
  const home = openSync(OWN, 'r')
  try {
    libc.leaveNetworkNamespace()
    try {
      const fd = openSync(OWN, 'r')
      return { fd, close: () => closeSync(fd) }
    } finally {
      returnToNamespace(libc, home)
    }
  } finally {
    closeSync(home)
  }
}

/**
 * The same namespace without the file that it was opened by, which is closed: a name that goes does
 * not take the handle's own path with it.
 */
export function withoutName(libc: Libc, named: NamespaceHandle): NamespaceHandle {
  const fd = inNamespace(libc, named.fd, () => openSync(OWN, 'r'))
  named.close()
  return { fd, close: () => closeSync(fd) }
}

/**
 * Runs `act` with the calling thread inside the namespace. `act` must be synchronous. The thread's
 * own link below /proc is used, and not the process's, because namespaces belong to threads.
 */
export function inNamespace<T>(libc: Libc, fd: number, act: () => T): T {
  const home = openSync(OWN, 'r')
  try {
    libc.enterNetworkNamespace(fd)
    try {
      return act()
    } finally {
      returnToNamespace(libc, home)
    }
  } finally {
    closeSync(home)
  }
}

/**
 * If this fails, the process ends: a daemon that stayed in a guest's namespace would change the
 * guest's network instead of the host's.
 */
function returnToNamespace(libc: Libc, home: number): void {
  try {
    libc.enterNetworkNamespace(home)
  } catch {
    process.abort()
  }
}
