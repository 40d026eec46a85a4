/**
 * The files with which a container finds names: `/etc/hosts`, which has its own, and
 * `/etc/resolv.conf`. The engine writes both at each start, from what the container was made with.
 *
 * A container that waits for its instance (`warm.ts`) is made before its addresses are known, so
 * these files lack them after each start, for as long as it exists. They are added before it gets a
 * NIC. No program of its image runs until then.
 */
import { open } from 'node:fs/promises'
import { ipv4 } from '../model/addr.ts'
import { KIB } from '../model/sizes.ts'
import { type Guest, primaryNic, resolving } from './spec.ts'

/** Stands for addresses that are not known yet. It is nobody's (RFC 5737, TEST-NET-1). */
const UNKNOWN = ipv4('192.0.2.1')
const UNKNOWN_IN_HOSTS = /^192\.0\.2\.1(?=\s)/m
const UNKNOWN_IN_RESOLV_CONF = /^nameserver 192\.0\.2\.1$/m

/** What is written there by us and the engine is some hundred bytes. The rest is the guest's. */
const FILE_LIMIT = 64 * KIB

/** The guest as it is before its addresses are known. */
export function withoutAddresses({ id, hostname, type }: Omit<Guest, 'nics'>): Guest {
  const dhcp = { domainNames: [], nameServers: [UNKNOWN], timeServers: [] }
  return { id, hostname, type, nics: [{ ip: UNKNOWN, gateway: UNKNOWN, dhcp }] }
}

/** The text of `/etc/hosts` with the guest's address, if it lacks it. Pure. */
export function hostsWith(text: string, guest: Guest): string {
  return text.replace(UNKNOWN_IN_HOSTS, primaryNic(guest).ip)
}

/** The text of `/etc/resolv.conf` with what the guest is told, if it lacks it. Pure. */
export function resolvConfWith(text: string, guest: Guest, zone: string): string {
  const { Dns, DnsSearch } = resolving(guest, zone)
  const servers = Dns.map((server) => `nameserver ${server}`)
  // The engine leaves out a search for the root alone, too.
  const search = DnsSearch.join() === '.' ? [] : [`search ${DnsSearch.join(' ')}`]
  const lines = [...servers, ...search].join('\n')
  return text.replace(UNKNOWN_IN_RESOLV_CONF, () => lines)
}

/** Where the engine keeps both files of a container, on this machine. */
export interface NamesFiles {
  readonly hosts: string
  readonly resolvConf: string
}

/** Adds the guest's addresses to both. Errors: those of the file system. */
export async function addAddresses(files: NamesFiles, guest: Guest, zone: string): Promise<void> {
  await edit(files.hosts, (text) => hostsWith(text, guest))
  await edit(files.resolvConf, (text) => resolvConfWith(text, guest, zone))
}

/**
 * Changes a file in place, because the container has it mounted. One write does it: empty lines
 * take the place of what the new text is shorter by.
 */
async function edit(path: string, change: (text: string) => string): Promise<void> {
  await using file = await open(path, 'r+')
  if ((await file.stat()).size > FILE_LIMIT) return
  const before = await file.readFile('latin1')
  const after = change(before)
  if (after !== before) await file.write(after.padEnd(before.length, '\n'), 0, 'latin1')
}
