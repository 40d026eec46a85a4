/** The names that each server of the benchmark `dns` has, and questions for dnsperf about them. */
import { cidr, type Ipv4, ipv4FromNumber } from '../../../src/model/addr.ts'
import type { SharedWant } from '../../../src/model/want.ts'

export const ZONE = 'atoll.internal'
/** Below it, the server outside has every name. */
export const OUTSIDE = 'outside.example'
export const VPC_CIDR = cidr('10.0.0.0/8')
const FIRST_ADDRESS = 0x0a01_0000

/** Instance number `at`. */
export function nameOf(at: number): { readonly name: string; readonly ip: Ipv4 } {
  return { name: `i-${String(at).padStart(17, '0')}`, ip: ipv4FromNumber(FIRST_ADDRESS + at) }
}

/** So many names, as a want has them. */
export function wantedNames(count: number): SharedWant['names'] {
  return Array.from({ length: count }, (_, at) => ({ ...nameOf(at), primary: true }))
}

/** A reverse name. */
export function reverseOf(ip: Ipv4): string {
  return `${ip.split('.').reverse().join('.')}.in-addr.arpa`
}

/** What is asked: addresses, names of addresses, names that do not exist, or names outside. */
export type Load = 'A' | 'PTR' | 'miss' | 'warm' | 'cold'

/** Questions of a load. */
const QUESTIONS = 100_000
const WARM_NAMES = 1_000

/**
 * Lines for dnsperf. They ask for all names in an order that no cache of a processor foresees.
 * `round` makes the names outside others than those of earlier rounds.
 */
export function questions(load: Load, names: number, round: number): string {
  const line = (at: number): string => {
    const { name, ip } = nameOf((at * 7919) % names)
    switch (load) {
      case 'A':
        return `${name}.${ZONE} A`
      case 'PTR':
        return `${reverseOf(ip)} PTR`
      case 'miss':
        return `no${name}.${ZONE} A`
      case 'warm':
        return `w${at % WARM_NAMES}.${OUTSIDE} A`
      case 'cold':
        return `c${round}-${at}.${OUTSIDE} A`
    }
  }
  return `${Array.from({ length: QUESTIONS }, (_, at) => line(at)).join('\n')}\n`
}
