/**
 * Kernel settings below /proc/sys/net, always those of the calling thread's network namespace.
 *
 * They are read and written synchronously (no disk is involved), so that a caller that enters
 * another namespace for one step reaches the settings there.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { errnoOf } from '../../lib/errno.ts'

/** The value, or null when this kernel or namespace has no such setting. */
export function readSetting(name: string): string | null {
  try {
    return readFileSync(`/proc/sys/net/${name}`, 'utf8').trim()
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null
    throw error
  }
}

/**
 * Writes the value where it differs. Returns whether it wrote; a setting that does not exist is
 * left alone.
 */
export function ensureSetting(name: string, value: string): boolean {
  const have = readSetting(name)
  if (have === null || have === value) return false
  writeSetting(name, value)
  return true
}

/** Throws the kernel's error when it does not take the value. */
export function writeSetting(name: string, value: string): void {
  writeFileSync(`/proc/sys/net/${name}`, value)
}

/**
 * Settings of a link over which packets of instances are routed: it never sends IPv6, answers ARP
 * for nobody else, and neither takes nor sends redirects. `more` are those of this link only, by
 * their names below its own. Returns what it changed. See Documentation/networking/ip-sysctl of the
 * kernel.
 */
export function ensureRoutedLink(
  link: string,
  more: readonly (readonly [name: string, value: string])[],
): readonly string[] {
  const wanted = [
    ['forwarding', '1'],
    ['proxy_arp', '0'],
    ['accept_redirects', '0'],
    ['send_redirects', '0'],
    ...more,
  ] as const
  const settings = [
    [`ipv6/conf/${link}/disable_ipv6`, '1'] as const,
    ...wanted.map(([name, value]) => [`ipv4/conf/${link}/${name}`, value] as const),
  ]
  return settings.flatMap(([name, value]) => (ensureSetting(name, value) ? [name] : []))
}
