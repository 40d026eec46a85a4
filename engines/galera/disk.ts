/**
 * The state files of a stopped Galera node: `grastate.dat` (history, and whether it left last) and
 * `gvwstate.dat` (the last primary component). After a power cut they may be empty or incomplete.
 * The last commit of a crashed node comes from `mariadbd --wsrep-recover`, which the caller runs.
 *
 * The formats: galera/src/saved_state.cpp and gcomm/src/view.cpp (Galera 26.4).
 */
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { hasCode } from '../../src/lib/errno.ts'
import type { Position, View } from './decide.ts'

const UUID = /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/
const NO_UUID = '00000000-0000-0000-0000-000000000000'
const VIEW_FILE = 'gvwstate.dat'
const PUT_ASIDE = 'gvwstate.before'
const FILE_LIMIT_CHARACTERS = 64 * 1024

/**
 * `history:commit` as `--wsrep-recover` and `--wsrep-start-position` write it; null when it is not
 * one or says "nothing".
 */
export function parseStartPosition(
  text: string,
): { readonly history: string; readonly commit: number } | null {
  const [history = '', number = ''] = text.trim().split(/:(?=-?\d+$)/)
  const commit = Number(number)
  if (!UUID.test(history) || history === NO_UUID || number === '' || !Number.isSafeInteger(commit))
    return null
  return { history, commit }
}

/** Parses `grastate.dat`. Absent or incomplete files give no history. */
export function parseSavedState(text: string): {
  readonly history: string | null
  readonly leftLast: boolean
  readonly stoppedWell: boolean
  /**
   * Galera has cleared the history: the node was voted out, or died during a state transfer. Its
   * tables are invalid.
   */
  readonly isVoid: boolean
} {
  const fields = fieldsOf(text)
  const history = fields.get('uuid') ?? ''
  const known = UUID.test(history) && history !== NO_UUID
  return {
    history: known ? history : null,
    leftLast: fields.get('safe_to_bootstrap') === '1',
    stoppedWell: /^\d+$/.test(fields.get('seqno') ?? ''),
    isVoid: history === NO_UUID,
  }
}

/** Parses `gvwstate.dat`. Null when it is absent, incomplete, or does not name this node. */
export function parseView(text: string): View | null {
  const fields = fieldsOf(text)
  const me = fields.get('my_uuid') ?? ''
  const id = fields.get('view_id') ?? ''
  const members = [...text.slice(0, FILE_LIMIT_CHARACTERS).matchAll(/^member:\s*(\S+)/gm)]
    .map((match) => match[1] ?? '')
    .filter((member) => UUID.test(member))
  const whole = text.includes('#vwend') && id !== '' && members.includes(me)
  return whole ? { id, me, members } : null
}

function fieldsOf(text: string): ReadonlyMap<string, string> {
  return new Map(
    text
      .slice(0, FILE_LIMIT_CHARACTERS)
      .split('\n')
      .flatMap((line) => {
        const match = /^(\w+):\s*(.*?)\s*$/.exec(line)
        return match === null ? [] : [[match[1] ?? '', match[2] ?? '']]
      }),
  )
}

/**
 * The position of the node with this data directory. `recovered` is the output of
 * `--wsrep-recover`.
 */
export async function readPosition(
  dataDir: string,
  recovered: { readonly history: string; readonly commit: number } | null,
): Promise<Position> {
  const state = parseSavedState(await readIfThere(join(dataDir, 'grastate.dat')))
  // A node that was never in a cluster has tables, too: only a history makes them a position.
  if (state.isVoid || (state.history === null && recovered === null))
    return { history: null, commit: -1, leftLast: false, view: null }
  return {
    history: recovered?.history ?? state.history,
    commit: recovered?.commit ?? -1,
    leftLast: state.leftLast,
    view: state.stoppedWell ? null : await readView(dataDir),
  }
}

async function readView(dataDir: string): Promise<View | null> {
  const latest = parseView(await readIfThere(join(dataDir, VIEW_FILE)))
  return latest ?? parseView(await readIfThere(join(dataDir, PUT_ASIDE)))
}

/**
 * Renames `gvwstate.dat` before this node joins a running cluster. With it, mariadbd would wait for
 * ever for the members of that view if the cluster goes down again. The renamed file remains the
 * last view if this node dies before it has joined. An incomplete file is removed, because mariadbd
 * fails with it.
 */
export async function putViewAside(dataDir: string): Promise<void> {
  const file = join(dataDir, VIEW_FILE)
  if (parseView(await readIfThere(file)) !== null) await rename(file, join(dataDir, PUT_ASIDE))
  else await rm(file, { force: true })
}

/** Allows Galera to start the cluster from this node (`safe_to_bootstrap`). */
export async function allowBootstrap(dataDir: string): Promise<void> {
  const file = join(dataDir, 'grastate.dat')
  const text = await readIfThere(file)
  if (/^safe_to_bootstrap:\s*0/m.test(text))
    await writeFile(file, text.replace(/^safe_to_bootstrap:.*/m, 'safe_to_bootstrap: 1'))
}

async function readIfThere(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8')
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return ''
    throw error
  }
}
