/**
 * The port to the shared records.
 *
 * Every choice (host, address, id) is made inside a transaction, by whichever host took the
 * request. There are two kinds: `change` for nearly everything, `claim` for what many hosts want at
 * once. The work of both may run more than once (certification conflicts, deadlocks), so it touches
 * nothing but `tx`. Two implementations pass the same contract suite: SQLite and MariaDB Galera.
 * Errors: `AtollError` `unavailable` when the engine does not answer.
 */
import type { UnreadableRow } from '../model/records.ts'
import type { Dump } from './dump.ts'
import type { NOUNS, ReadsOf, WritesOf } from './nouns.ts'
import type { Scope } from './scope.ts'

type Nouns = (typeof NOUNS)[number]

/** The records of all nouns. */
export type Store = StoreOf<ReadTx, Tx>

/** A store whose transactions have these methods. */
interface StoreOf<Read, Write> {
  /** Brings the schema up to date; safe when several hosts do it at once. */
  migrate(): Promise<void>
  /**
   * Runs `work` in one transaction, all of it or nothing, and applies it once, even if the answer to
   * its commit is lost. It reads one snapshot, and of two that read a row and then change it one is
   * run again, so no update is lost. A rule over several rows is not kept by reading them
   * (`engines/engine.ts`).
   */
  change<T>(work: (tx: Write) => Promise<T>): Promise<T>
  /**
   * The same for work that many do at once to the same row. Each read shows what is committed by
   * then, and the work is not run again because such a row has changed: it must decide by keys and
   * conditional statements alone. When the answer to its commit is lost, it is simply run again: a
   * second run must change nothing more, or it begins by inserting a key of its own, which tells a
   * second run that the first was committed.
   *
   * What that buys, and what it would cost to have `change` alone: `docs/measured.md`.
   */
  claim<T>(work: (tx: Write) => Promise<T>): Promise<T>
  /** Makes the one call in `work` without a transaction around it. It may happen twice: only for what does no harm then. */
  single<T>(work: (tx: SingleTx) => Promise<T>): Promise<T>
  /** Runs `work` against one consistent snapshot. It may run more than once. */
  read<T>(work: (tx: Read) => Promise<T>, options?: ReadOptions): Promise<T>
  close(): Promise<void>
}

/** What is one statement, and may happen twice. */
type SingleTx = Pick<
  Tx,
  'peerHosts' | 'changedScopes' | 'placedNics' | 'orphans' | 'renewLease' | 'hosts' | 'unreadable'
>

/** What a snapshot has. */
interface ReadOptions {
  /**
   * `local` (unless told otherwise): what the node that is asked has by then, which may lack what was just committed at another one, and
   * is there even while the cluster stands still. `latest`: all that was committed before the call, at whatever node (a causal read). It
   * waits until the nodes agree on what that is, and a node that is cut off from the others does not answer it.
   */
  readonly sees?: 'local' | 'latest'
}

/**
 * Reading. Lists come in ascending order of id (or name where there is no id). Each row is parsed
 * (`records/columns.ts`); one that cannot be read is left out of every list and told of in
 * `unreadable`. What a noun reads is in its file (`records/`).
 */
export interface ReadTx extends ReadsOf<Nouns> {
  /** What this transaction has left out so far. It is there, whatever it is: nothing may be removed or handed out for its absence. */
  unreadable(): readonly UnreadableRow[]
  /** Everything, as rows. */
  dump(): Promise<Dump>
}

/**
 * Writing. A method that can lose a race says so in what it returns and never throws for it; the
 * caller turns that into an error of its own or tries another choice.
 */
export interface Tx extends ReadTx, WritesOf<Nouns> {
  /** The scopes that this transaction has touched so far, each once. */
  touched(): readonly Scope[]
  /** Makes all records equal to a dump, and gives how many of its rows do not fit and were left out. Only for a replica. */
  restore(dump: Dump): Promise<number>
}
