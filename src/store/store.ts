/**
 * The port to the shared records.
 *
 * Every choice (host, address, id) is made in a transaction, by the host that got the request.
 * There are two kinds: `change` for nearly everything, and `claim` for rows that many hosts change
 * at once. The work of both may run more than once (certification conflicts, deadlocks), so it must
 * not touch anything but `tx`. Two implementations pass the same contract tests: SQLite and MariaDB
 * Galera. Errors: `AtollError` `unavailable` when the engine does not answer.
 */
import type { UnreadableRow } from '../model/unreadable-row.ts'
import type { Dump } from './dump.ts'
import type { NOUNS, ReadsOf, WritesOf } from './nouns.ts'
import type { Scope } from './scope.ts'

type Nouns = (typeof NOUNS)[number]

/** The records of all nouns. */
export type Store = StoreOf<ReadTx, Tx>

/** A store whose transactions have these methods. */
interface StoreOf<Read, Write> {
  /** Brings the schema up to date. Several hosts may call it at once. */
  migrate(): Promise<void>
  /**
   * Runs `work` in one transaction: all of it happens or nothing, and only once, even if the answer
   * to its commit is lost. It reads one snapshot. Of two that read a row and then change it, one is
   * run again, so no update is lost. Reading several rows does not enforce a rule over them
   * (`engines/engine.ts`).
   */
  change<T>(work: (tx: Write) => Promise<T>): Promise<T>
  /**
   * The same for work that many hosts do at once on the same row. Each read shows what is committed
   * by then, and the work is not run again because such a row has changed. So it must decide by
   * keys and conditional statements alone. When the answer to its commit is lost, it is run again:
   * a second run must change nothing more, or it must begin by inserting a key that tells it that
   * the first was committed.
   *
   * What this gains over `change`: `docs/measured.md`.
   */
  claim<T>(work: (tx: Write) => Promise<T>): Promise<T>
  /**
   * Runs the one call in `work` without a transaction. It may happen twice, so use it only if that
   * does no harm.
   */
  single<T>(work: (tx: SingleTx) => Promise<T>): Promise<T>
  /** Runs `work` on one consistent snapshot. It may run more than once. */
  read<T>(work: (tx: Read) => Promise<T>, options?: ReadOptions): Promise<T>
  close(): Promise<void>
}

/** Methods of one statement that may happen twice. */
type SingleTx = Pick<
  Tx,
  | 'peerHosts'
  | 'changedScopes'
  | 'placedNics'
  | 'orphans'
  | 'stalledMoves'
  | 'renewLease'
  | 'hosts'
  | 'unreadable'
  | 'uncarriedNatGateways'
>

/** Options of a snapshot. */
interface ReadOptions {
  /**
   * `local` (the default): what the asked node has by then. It may lack what was just committed at
   * another node, but is available even while the cluster stops. `latest`: everything that was
   * committed before the call, at any node (a causal read). It waits until the nodes agree, and a
   * node that is cut off does not answer.
   */
  readonly sees?: 'local' | 'latest'
}

/**
 * Reading. Lists are in ascending order of id (or of name where there is no id). Each row is parsed
 * (`records/columns.ts`). An unreadable row is left out of every list and reported in `unreadable`.
 * The methods of a noun are in its file (`records/`).
 */
export interface ReadTx extends ReadsOf<Nouns> {
  /**
   * The rows that this transaction has left out so far. They exist: nothing may be removed or
   * allocated because a list lacks them.
   */
  unreadable(): readonly UnreadableRow[]
  /** All records, as rows. */
  dump(): Promise<Dump>
}

/**
 * Writing. A method that can lose a race says so in its result and never throws for it. The caller
 * turns that into an error or makes another choice.
 */
export interface Tx extends ReadTx, WritesOf<Nouns> {
  /** The scopes that this transaction has touched so far. */
  touched(): readonly Scope[]
  /**
   * Makes all records equal to a dump, and returns the number of rows that did not fit and were
   * left out. Only for a replica.
   */
  restore(dump: Dump): Promise<number>
}
