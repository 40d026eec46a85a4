/** The worst of several rounds of one drill. */
import type { DrillRow, Figure } from './drill.ts'
import type { Loss } from './probe-losses.ts'

type Losses = DrillRow['others']

/**
 * One row for several rounds of a drill: what was lost in all of them, and of each time and figure
 * the greatest. Throws when there is no round.
 */
export function worstOf(rows: readonly DrillRow[]): DrillRow {
  const [first] = rows
  if (first === undefined) throw new Error('no round')
  if (rows.length === 1) return first
  const inRound = (texts: (row: DrillRow) => readonly string[]) =>
    rows.flatMap((row, index) => texts(row).map((text) => `round ${index + 1}: ${text}`))
  return {
    name: first.name,
    rounds: rows.reduce((sum, { rounds }) => sum + rounds, 0),
    others: lossesOf(rows.map(({ others }) => others)),
    own: lossesOf(rows.map(({ own }) => own)),
    readGapMs: greatest(rows.map(({ readGapMs }) => readGapMs)),
    writeGapMs: greatest(rows.map(({ writeGapMs }) => writeGapMs)),
    knownMs: orNull(rows.map(({ knownMs }) => knownMs)),
    convergedMs: rows.some(({ convergedMs }) => convergedMs === null)
      ? null
      : orNull(rows.map(({ convergedMs }) => convergedMs)),
    figures: figuresOf(rows.flatMap(({ figures }) => figures)),
    differences: inRound(({ differences }) => differences),
    missed: inRound(({ missed }) => missed),
    notes: inRound(({ notes }) => notes),
    machine: {
      load: greatest(rows.map(({ machine }) => machine.load)),
      lostBefore: rows.reduce((sum, { machine }) => sum + machine.lostBefore, 0),
      seconds: rows.reduce((sum, { machine }) => sum + machine.seconds, 0),
    },
  }
}

const greatest = (values: readonly number[]) => Math.max(...values)

function orNull(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null)
  return known.length === 0 ? null : greatest(known)
}

function lossesOf(all: readonly Losses[]): Losses {
  return {
    packets: lossOf(all.map(({ packets }) => packets)),
    dns: lossOf(all.map(({ dns }) => dns)),
    dhcp: lossOf(all.map(({ dhcp }) => dhcp)),
  }
}

function lossOf(all: readonly Loss[]): Loss {
  return {
    sent: all.reduce((sum, { sent }) => sum + sent, 0),
    lost: all.reduce((sum, { lost }) => sum + lost, 0),
    longestMs: greatest(all.map(({ longestMs }) => longestMs)),
  }
}

/** One figure for each label, in the order in which they came first. */
function figuresOf(all: readonly Figure[]): readonly Figure[] {
  const byLabel = new Map<string, Figure>()
  for (const figure of all) {
    const known = byLabel.get(figure.label)
    if (known === undefined || known.value < figure.value) byLabel.set(figure.label, figure)
  }
  return [...byLabel.values()]
}
