/**
 * What a stopped Galera node left on its disk: `grastate.dat` (history, and who left last) and
 * `gvwstate.dat` (the last primary component). Both are read with limits and forgiven when a power
 * cut left them empty or torn; the commit number of a node that crashed comes from `mariadbd
 * --wsrep-recover` and is given by the caller.
 *
 * The formats: galera/src/saved_state.cpp and gcomm/src/view.cpp (Galera 26.4).
 */
import { readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
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

/** `grastate.dat`. A file that is absent or torn says nothing. */
export function parseSavedState(text: string): {
  readonly history: string | null
  readonly leftLast: boolean
  readonly stoppedWell: boolean
  /**
   * Galera has struck out its history: it was voted out, or died while it took another node's
   * state. Its tables are worth nothing.
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

/** `gvwstate.dat`. Null when it is absent, torn, or does not have this node in it. */
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
  // A node that was never in a cluster has tables, too: only its own history makes a position of
  // what was recovered.
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
 * Puts the last view aside before this node joins a cluster that runs. With it, mariadbd would wait
 * for the members of that view for ever where the cluster goes away again; and if this node dies
 * before it has joined, that view is still the last one that it saw. A torn one is removed, as
 * mariadbd ends where it meets one.
 */
export async function putViewAside(dataDir: string): Promise<void> {
  const file = join(dataDir, VIEW_FILE)
  if (parseView(await readIfThere(file)) !== null) await rename(file, join(dataDir, PUT_ASIDE))
  else await rm(file, { force: true })
}

/** Galera refuses to start a cluster from a node that does not say that it may. */
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
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return ''
    throw error
  }
}
