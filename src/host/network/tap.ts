/**
 * What a virtual machine is handed: its taps, and the sockets on which it is spoken to.
 *
 * Taps are made to stay, so that links, rules and routes do not wait for a guest, and are opened
 * anew for each start of one.
 */
import { rm } from 'node:fs/promises'
import { unavailable } from '../../model/errors.ts'
import type { OpenFile } from '../host.ts'
import type { Ip } from '../netlink/ip.ts'
import type { Descriptors } from '../sockets/descriptors.ts'
import type { MakeLink } from './nics.ts'

/** Makes taps that outlive everybody who holds them, for `ensureHostEnd`. */
export function tapMaker(descriptors: Descriptors): MakeLink {
  return async (_ip, { hostLink }) => {
    const fd = descriptors.openTap(hostLink)
    try {
      descriptors.keepTap(fd)
    } finally {
      descriptors.close(fd)
    }
  }
}

/** Opens a tap that is there: opening by name would make another, which nobody set up. */
export async function openTap(descriptors: Descriptors, ip: Ip, name: string): Promise<OpenFile> {
  if ((await ip.link(name)) === undefined) throw unavailable(`there is no link ${name}`)
  return openFile(descriptors, descriptors.openTap(name))
}

/** Listens at `path`, where nobody does any more. */
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
