/**
 * How a host fetches an instance from another one. Pure.
 *
 * HTTP over TLS, in which both show the certificate of a host; the host that asks must be the one
 * that the instance moves to. `/<instance>/<move>` lists the files (JSON). `/<instance>/<move>/<n>`
 * is one of them, also in parts (`Range`), and `/<instance>/<move>/<n>/digest` its SHA-256.
 */
import { z } from 'zod'
import { type InstanceId, parseId } from '../../model/ids.ts'

/** Most files of one instance. */
const FILES_MAX = 32
/** Longest answer that is not a file. */
export const ANSWER_MAX_BYTES = 64 * 1024

const fileSchema = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9.-]{0,63}$/),
  bytes: z.int().min(0),
})

/** The files of an instance. */
export const listSchema = z.strictObject({ files: z.array(fileSchema).min(1).max(FILES_MAX) })
/** The digest of a file. */
export const digestSchema = z.strictObject({ digest: z.string().regex(/^sha256:[0-9a-f]{64}$/) })
/** Why there is no answer; `refused`: asking again is of no use. */
export const problemSchema = z.strictObject({ refused: z.boolean(), message: z.string().max(2000) })

/** A file that is offered. */
export type OfferedFile = z.infer<typeof fileSchema>

/** What is asked for. `file` null: the list. */
export interface MoveRequest {
  readonly instance: InstanceId
  readonly move: number
  readonly file: number | null
  readonly digest: boolean
}

/** The path of a request. */
export function formatMoveRequest({ instance, move, file, digest }: MoveRequest): string {
  return `/${instance}/${move}${file === null ? '' : `/${file}`}${digest ? '/digest' : ''}`
}

/** Undefined when the path is none. */
export function parseMoveRequest(path: string): MoveRequest | undefined {
  const found = /^\/(i-[0-9a-f]{17})\/(\d{1,15})(?:\/(\d{1,2})(\/digest)?)?$/.exec(path)
  const [, id = '', move, file, digest] = found ?? []
  const instance = parseId('i', id)
  if (instance === undefined) return undefined
  return {
    instance,
    move: Number(move),
    file: file === undefined ? null : Number(file),
    digest: digest !== undefined,
  }
}

/** The offset of `bytes=<offset>-` in a file of that size (RFC 9110, 14.1.2). Null: another one. */
export function parseOffset(range: string, bytes: number): number | null {
  const offset = Number(/^bytes=(\d{1,15})-$/.exec(range)?.[1] ?? Number.NaN)
  return offset < bytes ? offset : null
}
