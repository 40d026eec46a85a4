/**
 * Descriptors that a virtual machine inherits: its taps and listening sockets.
 *
 * Taps are persistent, so that links, rules and routes do not depend on a running guest. Each start
 * of a guest opens them.
 */
import { fstatSync, readlinkSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { Socket } from 'node:net'
import { unavailable } from '../../model/errors.ts'
import type { TapHolder } from '../guest-setup.ts'
import type { Host, OpenFile } from '../host.ts'
import type { Libc } from '../libc.ts'
import { createIp, type Ip } from '../netlink/ip.ts'
import { openRouteNetlink } from '../netlink/netlink.ts'
import type { Descriptors } from '../sockets/descriptors.ts'
import { currentNamespace, inNamespace } from './netns.ts'
import { type MakeLink, removeLink } from './nics.ts'

const TUN = '/net/tun'

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

interface TapParts {
  readonly descriptors: Descriptors
  readonly libc: Libc
  /** Of the namespace with the tap. */
  readonly ip: Ip
}

/**
 * Gives a process its tap back, once it was deleted and made again: its descriptor leads to no
 * device then, and may be attached once more (`tun_set_iff` of the kernel's drivers/net/tun.c), in
 * the namespace that it was opened in. If its tap was renamed or moved, that one is deleted. False
 * when it has the right one.
 */
export async function reattachTap(
  parts: TapParts,
  name: string,
  { pid, fd: number }: TapHolder,
): Promise<boolean> {
  const { descriptors, ip } = parts
  if ((await ip.link(name)) === undefined) throw unavailable(`there is no link ${name}`)
  if (!isTun(`/proc/${pid}/fd/${number}`))
    throw unavailable(`descriptor ${number} of process ${pid} is no tap`)
  const fd = descriptors.copyOf(pid, number)
  try {
    if (!(await detachTap(parts, fd, name))) return false
    descriptors.attachTap(fd, name)
    return true
  } finally {
    descriptors.close(fd)
  }
}

/** Deletes the tap of a descriptor, unless it is the right one: then false. */
async function detachTap(
  { descriptors, libc, ip }: TapParts,
  fd: number,
  name: string,
): Promise<boolean> {
  const tap = descriptors.tapOf(fd)
  if (tap === null) return true
  try {
    const isHere = fstatSync(tap.namespace).ino === ip.inside(currentNamespace)
    if (isHere && tap.name === name) return false
    const there = createIp(inNamespace(libc, tap.namespace, openRouteNetlink))
    await removeLink(there, tap.name).finally(() => there.close())
    return true
  } finally {
    descriptors.close(tap.namespace)
  }
}

/** Whether a descriptor below /proc is one of a tap. */
export function isTun(path: string): boolean {
  try {
    return readlinkSync(path).endsWith(TUN)
  } catch {
    return false
  }
}

/** Listens at `path`. Replaces the socket of a process that has ended. */
export async function listenUnix(descriptors: Descriptors, path: string): Promise<OpenFile> {
  await rm(path, { force: true })
  return openFile(descriptors, descriptors.listenUnix(path))
}

/** A connection with another process, and its end of it. */
export function pairedUnix(descriptors: Descriptors): ReturnType<Host['pairedUnix']> {
  const [own, other] = descriptors.pairedUnix()
  const there = openFile(descriptors, other)
  try {
    const here = new Socket({ fd: own, allowHalfOpen: true })
    // Until somebody listens, its end says the same.
    here.on('error', () => undefined)
    return { here, there }
  } catch (error) {
    there.close()
    descriptors.close(own)
    throw error
  }
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
