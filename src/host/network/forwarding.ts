/**
 * Remembers whether this machine forwarded IPv4 before Atoll. If it did not, it forwards for nobody
 * else meanwhile (`plan/guard.ts`), and forwarding is switched off again in the end.
 *
 * The kernel's setting is lost with each boot, so what is remembered is valid for one boot.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Inside } from './netns.ts'
import { ensureSetting, readSetting } from './sysctl.ts'

/** Documentation/networking/ip-sysctl of the kernel. */
const SETTING = 'ipv4/ip_forward'
const BOOT_ID = '/proc/sys/kernel/random/boot_id'

/** Forwarding of one network namespace. */
export interface Forwarding {
  /** Switches it on. Returns whether it was off. */
  ensure(): boolean
  /** Whether it was on before `ensure` was called for the first time since the machine started. */
  before(): boolean
  /** Switches it off if it was off before. Returns whether it did. */
  restore(): boolean
}

/** That of a VPC's namespace, in which nothing else is forwarded. */
export function createVpcForwarding(inside: Inside): Forwarding {
  return {
    ensure: () => inside(() => ensureSetting(SETTING, '1')),
    before: () => true,
    restore: () => false,
  }
}

/**
 * Of the calling thread's namespace. `file` stores the answer beyond this process; null: it is not
 * stored.
 */
export function createForwarding(file: string | null): Forwarding {
  let known = file === null ? null : recall(file)
  const remember = (before: boolean) => {
    if (known === before) return
    known = before
    if (file !== null) note(file, before)
  }
  return {
    ensure() {
      const isOff = readSetting(SETTING) === '0'
      // Stored before it is switched on. A daemon that dies here finds it off again.
      if (isOff) remember(false)
      else if (known === null) remember(true)
      return ensureSetting(SETTING, '1')
    },
    before: () => known ?? true,
    restore: () => known === false && ensureSetting(SETTING, '0'),
  }
}

function bootId(): string {
  return readFileSync(BOOT_ID, 'utf8').trim()
}

function note(file: string, before: boolean): void {
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(`${file}.new`, `${bootId()} ${before ? 'on' : 'off'}\n`, { mode: 0o600 })
  renameSync(`${file}.new`, file)
}

/** Null: nothing, of another boot, or unreadable. */
function recall(file: string): boolean | null {
  try {
    const [boot, was] = readFileSync(file, 'utf8').trim().split(' ')
    return boot === bootId() && (was === 'on' || was === 'off') ? was === 'on' : null
  } catch {
    return null
  }
}
