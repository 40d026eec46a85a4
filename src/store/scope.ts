/**
 * Scopes: whom a change of the records concerns. Pure.
 *
 * Each write names its scopes in its noun's file. A transaction collects them and advances the
 * generation of each once, before it commits, so that a reader which compares generations reads
 * what changed and nothing else.
 *
 * What belongs to one VPC has two kinds of scope. Its networks, groups and rules are the VPC's own:
 * they change rarely. Its members change with every launch, so they have a scope for each host that
 * has some: a launch updates a row of the host that it takes capacity of, and there is no row that
 * all launches into a VPC update (in Galera each of these would fail the certification of others).
 */
import type { AccountId, HostName, VpcId } from '../model/ids.ts'

/**
 * - `host`: that host's own part: its instances, volumes, tags, and the images that it keeps.
 * - `vpc`: without `host`: its networks, groups and rules. With `host`: which of its members (NICs
 *   with their groups and names) are on that host.
 * - `account`: what all instances of an account share.
 * - `all`: without `host`: what all hosts share. With `host`: what all must know of that host: its
 *   state, its address, which machine it is.
 */
export type Scope =
  | { readonly kind: 'host'; readonly host: HostName }
  | { readonly kind: 'vpc'; readonly vpc: VpcId; readonly host?: HostName }
  | { readonly kind: 'account'; readonly account: AccountId }
  | { readonly kind: 'all'; readonly host?: HostName }

/** One host's own part. */
export function ofHost(host: HostName): Scope {
  return { kind: 'host', host }
}

/** A VPC's networks, groups and rules; with a host: the VPC's members there. */
export function ofVpc(vpc: VpcId, host?: HostName): Scope {
  return host === undefined ? { kind: 'vpc', vpc } : { kind: 'vpc', vpc, host }
}

/** What all hosts share. */
export const EVERYBODY: Scope = { kind: 'all' }

/** What all must know of a host. */
export function ofAll(host: HostName): Scope {
  return { kind: 'all', host }
}
