/**
 * Finds network namespaces that have no name any more, by the taps of machines that run in them.
 *
 * A running machine holds its tap open, and with it the namespace, however long no daemon runs. The
 * kernel tells the namespace of a tap to whoever holds it (TUNGETDEVNETNS of linux/if_tun.h).
 */
import { fstatSync, readdirSync } from 'node:fs'
import { isNicLink } from '../../model/names.ts'
import type { Descriptors } from '../sockets/descriptors.ts'
import type { NamespaceHandle } from './netns.ts'
import { isTun } from './tap.ts'

/**
 * The namespaces of all taps of ours that processes hold open, each once. The caller closes them.
 * What cannot be asked is left out.
 */
export function openTapNamespaces(descriptors: Descriptors): readonly NamespaceHandle[] {
  const found = new Map<number, NamespaceHandle>()

  const look = (pid: number, number: number) => {
    const copy = descriptors.copyOf(pid, number)
    try {
      const tap = descriptors.tapOf(copy)
      if (tap === null) return
      const { name, namespace: fd } = tap
      const handle = { fd, close: () => descriptors.close(fd) }
      const { ino } = fstatSync(fd)
      if (!isNicLink(name) || found.has(ino)) handle.close()
      else found.set(ino, handle)
    } finally {
      descriptors.close(copy)
    }
  }

  for (const { pid, fd } of openTuns())
    try {
      look(pid, fd)
    } catch {
      // It has ended meanwhile, or is out of reach.
    }
  return [...found.values()]
}

/** Descriptors of taps, with their processes. */
function openTuns(): readonly { readonly pid: number; readonly fd: number }[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
  return pids.flatMap((pid) => {
    try {
      return readdirSync(`/proc/${pid}/fd`).flatMap((fd) =>
        isTun(`/proc/${pid}/fd/${fd}`) ? [{ pid: Number(pid), fd: Number(fd) }] : [],
      )
    } catch {
      return []
    }
  })
}
