/**
 * Descriptors that a virtual machine inherits: its taps and listening sockets.
 *
 * Taps are persistent, so that links, rules and routes do not depend on a running guest. Each start
 * of a guest opens them.
 */
import { rm } from 'node:fs/promises'
import { unavailable } from '../../model/errors.ts'
import type { OpenFile } from '../host.ts'
import type { Ip } from '../netlink/ip.ts'
import type { Descriptors } from '../sockets/descriptors.ts'
import type { MakeLink } from './nics.ts'

/** Creates persistent taps, for `ensureHostEnd`. */
export function tapMaker(descriptors: Descriptors): MakeLink {
  return async (ip, { hostLink }) => {
    const fd = ip.inside(() => descriptors.openTap(hostLink))
    try {
      descriptors.keepTap(fd)
    } finally {
      descriptors.close(fd)
    }
  }
}

/** Opens an existing tap. Opening by name alone would create a tap that is not configured. */
export async function openTap(descriptors: Descriptors, ip: Ip, name: string): Promise<OpenFile> {
  if ((await ip.link(name)) === undefined) throw unavailable(`there is no link ${name}`)
  return openFile(
    descriptors,
    ip.inside(() => descriptors.openTap(name)),
  )
}

/** Listens at `path`. Replaces the socket of a process that has ended. */
export async function listenUnix(descriptors: Descriptors, path: string): Promise<OpenFile> {
  await rm(path, { force: true })
  return openFile(descriptors, descriptors.listenUnix(path))
}

function openFile(descriptors: Descriptors, fd: number): OpenFile {
  let isOpen = true
  return {
    fd,
    close() {
      if (isOpen) descriptors.close(fd)
      isOpen = false
    },
  }
}
