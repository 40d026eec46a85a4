/** Parses the status of a running Galera node: its `wsrep_…` status variables. Pure. */

/** A node that answers SQL. */
export interface NodeStatus {
  /**
   * `Primary`, `non-Primary`, or `Disconnected` for one that is in no component at all
   * (`wsrep_cluster_status`).
   */
  readonly component: string
  /**
   * `Synced`, `Donor/Desynced`, `Joiner`, `Joined`, `Inconsistent`, …
   * (`wsrep_local_state_comment`).
   */
  readonly state: string
  /** Whether it serves queries (`wsrep_ready`). */
  readonly ready: boolean
  /** Members of its component, this one included. */
  readonly size: number
  /** Number of operations that desynchronize it, such as a backup (`wsrep_desync_count`). */
  readonly desyncs: number
  /** Id of the cluster's history, and the node's last commit in it. */
  readonly history: string
  readonly commit: number
  /** Bytes received from the other nodes. */
  readonly receivedBytes: number
}

/** The status in rows of `SHOW GLOBAL STATUS`; null for a server that runs without Galera. */
export function nodeStatus(rows: Iterable<readonly [string, string]>): NodeStatus | null {
  const values = new Map(rows)
  const text = (name: string) => values.get(`wsrep_${name}`) ?? ''
  const number = (name: string) => (/^\d+$/.test(text(name)) ? Number(text(name)) : 0)
  if (text('provider_name') !== 'Galera') return null
  return {
    component: text('cluster_status'),
    state: text('local_state_comment'),
    ready: text('ready') === 'ON',
    size: number('cluster_size'),
    desyncs: number('desync_count'),
    history: text('cluster_state_uuid'),
    commit: number('last_committed'),
    receivedBytes: number('received_bytes'),
  }
}

/** Whether it serves queries and has every commit of its cluster. */
export function isServing({ component, state, ready }: NodeStatus): boolean {
  return component === 'Primary' && ready && state === 'Synced'
}

/** Whether it was voted out or never joined. Galera does not bring such a node back. */
export function hasLeftCluster({ component, state }: NodeStatus): boolean {
  return component === 'Disconnected' || state === 'Inconsistent'
}
