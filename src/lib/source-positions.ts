/**
 * Says of a stack trace of a built program where its lines are in the sources, by the source map
 * beside the program (ECMA-426).
 *
 * A map is read when an error is told, and not kept. Node's own support builds objects of all of a
 * map: 100 MB for the daemon's, and most of a second.
 */
import { readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { createBoundedMap } from './bounded-map.ts'

/** A place of a built program in a line of a stack trace. */
const BUILT_PLACE = /(\/[^\s()]+\.cjs):(\d+):(\d+)/g
/** Maximum number of places that are remembered. */
const KNOWN_PLACES = 1_000
const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
const VALUE_OF = Uint8Array.from({ length: 128 }, (_, code) =>
  Math.max(0, DIGITS.indexOf(String.fromCharCode(code))),
)

/** A place in a file. Lines begin at 1, columns at 0. */
interface Place {
  readonly line: number
  readonly column: number
}

/** A place in a source. */
interface SourcePlace extends Place {
  /** Its number in the map. */
  readonly source: number
}

/**
 * The source places of these places of the generated file, in their order. Undefined for one that
 * has none.
 */
export function findSources(
  mappings: string,
  places: readonly Place[],
): readonly (SourcePlace | undefined)[] {
  const found: (SourcePlace | undefined)[] = places.map(() => undefined)
  const lastLine = Math.max(...places.map(({ line }) => line))
  /** Generated column, source, its line, column there, name: each counts from the last. */
  const at = [0, 0, 0, 0, 0]
  let [line, field, value, shift] = [1, 0, 0, 0]
  const endSegment = () => {
    const [generated = 0, source = 0, sourceLine = 0, column = 0] = at
    if (field >= 4)
      for (const [index, place] of places.entries())
        if (place.line === line && generated <= place.column)
          found[index] = { source, line: sourceLine + 1, column }
    field = 0
  }
  for (let index = 0; index < mappings.length && line <= lastLine; index += 1) {
    const code = mappings.charCodeAt(index)
    if (code === COMMA || code === SEMICOLON) {
      endSegment()
      if (code === SEMICOLON) {
        line += 1
        at[0] = 0
      }
      continue
    }
    const digit = VALUE_OF[code] ?? 0
    value += (digit & 31) << shift
    shift += 5
    if ((digit & 32) !== 0) continue
    at[field] = (at[field] ?? 0) + ((value & 1) === 1 ? -(value >> 1) : value >> 1)
    ;[field, value, shift] = [field + 1, 0, 0]
  }
  endSegment()
  return found
}

const COMMA = 44
const SEMICOLON = 59

/**
 * A function that names the sources in a stack trace of the programs in `directory`. What it does
 * not know it leaves as it is.
 */
export function createSourcePositions(directory = import.meta.dirname): (stack: string) => string {
  const known = createBoundedMap<string, string>(KNOWN_PLACES)

  function learn(file: string, places: readonly (Place & { readonly text: string })[]): void {
    const { sources, mappings } = readMap(file)
    for (const [index, place] of findSources(mappings, places).entries()) {
      const text = places[index]?.text ?? ''
      const source = place === undefined ? undefined : sources[place.source]
      if (place === undefined || source === undefined) known.set(text, text)
      else known.set(text, `${pathOf(source)}:${place.line}:${place.column + 1}`)
    }
  }

  return (stack) => {
    const unknown = Map.groupBy(
      [...stack.matchAll(BUILT_PLACE)]
        .map(([text, file = '', line, column]) => ({
          ...{ text, file },
          ...{ line: Number(line), column: Number(column) - 1 },
        }))
        .filter(({ text, file }) => dirname(file) === directory && known.get(text) === undefined),
      ({ file }) => file,
    )
    for (const [file, places] of unknown) learn(file, places)
    return stack.replaceAll(BUILT_PLACE, (text) => known.get(text) ?? text)
  }
}

/** The map of a built file. Empty if it cannot be read: a trace is never worth another error. */
function readMap(file: string): { readonly sources: readonly string[]; readonly mappings: string } {
  try {
    const { sources, mappings } = JSON.parse(readFileSync(`${file}.map`, 'utf8'))
    if (Array.isArray(sources) && typeof mappings === 'string') return { sources, mappings }
  } catch {
    // It is missing or damaged.
  }
  return { sources: [], mappings: '' }
}

/** A source's path from the root of the checkout. */
function pathOf(source: string): string {
  return source.replace(/^(?:\.\.\/)+/, '')
}
