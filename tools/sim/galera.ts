/**
 * A cluster of database nodes as Galera makes one, in memory.
 *
 * Each node has all records in a SQLite database of its own. A transaction runs on one node, and
 * becomes a write-set at its commit. All nodes agree on the order of write-sets. One is refused as
 * a conflict if a row of it was changed by another one that its transaction has not seen (first
 * committer wins), or if it does not fit any more (a UNIQUE key, a reference). Other nodes apply it
 * later, so what they answer meanwhile is old.
 *
 * https://galeracluster.com/library/documentation/certification-based-replication.html
 */
import { DatabaseSync } from 'node:sqlite'
import { createDatabaseNode, type DatabaseNode } from './galera-node.ts'
import { EPOCH_MS, type VirtualTime } from './time.ts'
import { applies, conflict, type Replication, type WriteSet } from './write-set.ts'

/** The nodes, and what they have agreed on. */
export interface DatabaseCluster {
  readonly nodes: readonly DatabaseNode[]
  /** Every committed change. Only for looking. */
  readonly truth: DatabaseSync
  /** The number of write-sets that have been committed. */
  committed(): number
  /** Calls `heard` after each commit, before anybody else knows of it. */
  onCommit(heard: (set: WriteSet) => void): void
  /**
   * All nodes lose their power at once, and with it this many commits that none of them has on its
   * disk (Jepsen, "MariaDB Galera Cluster 12.1.2").
   */
  losePower(commits: number): void
  close(): void
}

/** A cluster whose nodes begin with the records of `image` (a serialized database). */
export function createDatabaseCluster(options: {
  readonly image: Uint8Array
  readonly time: VirtualTime
  /** How far the clock of each node is ahead. */
  readonly skewsMs: readonly number[]
  /** How long a node takes to apply what another one has committed. */
  readonly lagMs: () => number
}): DatabaseCluster {
  const { image, time, skewsMs, lagMs } = options
  const log: WriteSet[] = []
  const lastWrite = new Map<string, number>()
  const listeners: ((set: WriteSet) => void)[] = []
  let truth = openDatabase(image, () => time.nowMs())

  const replication: Replication = {
    log,
    certify(set, sawUntil) {
      for (const key of set.keys)
        if ((lastWrite.get(key) ?? 0) > sawUntil) throw conflict(`certification of ${key}`)
      if (!applies(truth, set)) throw conflict('a key or a reference')
      log.push(set)
      for (const key of set.keys) lastWrite.set(key, log.length)
      for (const node of nodes) time.after(lagMs(), () => node.catchUp())
      for (const heard of listeners) heard(set)
    },
  }
  const nodes: readonly DatabaseNode[] = skewsMs.map((skewMs, at) =>
    createDatabaseNode({
      name: `db${at + 1}`,
      ...{ replication, time },
      open: (records = image) => openDatabase(records, () => time.nowMs() + skewMs),
    }),
  )
  return {
    nodes,
    get truth() {
      return truth
    },
    committed: () => log.length,
    onCommit: (heard) => void listeners.push(heard),
    losePower(commits) {
      log.splice(Math.max(0, log.length - commits))
      lastWrite.clear()
      for (const [at, { keys }] of log.entries()) for (const key of keys) lastWrite.set(key, at + 1)
      truth.close()
      truth = openDatabase(image, () => time.nowMs())
      for (const set of log) applies(truth, set)
      for (const node of nodes) node.restore()
    },
    close() {
      truth.close()
      for (const node of nodes) node.close()
    },
  }
}

/** A copy of a serialized database. Its function `sim_now` is the node's clock. */
function openDatabase(image: Uint8Array, nowMs: () => number): DatabaseSync {
  const database = new DatabaseSync(':memory:', {
    enableForeignKeyConstraints: true,
    enableDoubleQuotedStringLiterals: false,
  })
  database.deserialize(image)
  database.exec('pragma foreign_keys = on')
  database.function('sim_now', () => Math.round(EPOCH_MS + nowMs()))
  return database
}
