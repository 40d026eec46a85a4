/**
 * What the API's processes and the agent of one host say to each other over a Unix socket: a JSON
 * document on each line. Both ends may be of different versions, and neither trusts the other:
 * lines have a limit, and unknown ones are left out. Pure.
 */
import { z } from 'zod'
import { parseHostName, parseId } from '../model/ids.ts'
import { KIB } from '../model/sizes.ts'
import type { Question } from './bus.ts'
import { ANSWER_LIMIT_BYTES, COMMAND_LIMIT_BYTES } from './command-queue.ts'
import { answerMessageSchema, questionMessageSchema } from './rabbit/messages.ts'

/**
 * Longest line in bytes: an answer to a command, which is twice as long if all of it must be
 * escaped, and what is beside it.
 */
export const LINE_LIMIT_BYTES = 2 * ANSWER_LIMIT_BYTES + 4 * KIB
const LINE_FEED = 0x0a
const BUILD_LIMIT = 5_000

/** The only questions that the API may have asked of hosts. A ticket to a console is none. */
export const ASKED_FOR_CLIENTS: readonly Question[] = ['console']

function parsed<T>(maxLength: number, parse: (text: string) => T | undefined) {
  return z
    .string()
    .max(maxLength)
    .transform((text, context) => {
      const found = parse(text)
      if (found !== undefined) return found
      context.addIssue('is not the name of one')
      return z.NEVER
    })
}

const host = parsed(63, parseHostName)
const vpc = parsed(64, (text) => parseId('vpc', text))
const re = z.int().min(0)

/** The headers of a command that mean something. */
export const HEADER_NAME = /^x-atoll-[a-z-]{1,32}$/
/** Most headers of a command. */
export const HEADERS_LIMIT = 16
/** Longest value of a header in characters. */
export const HEADER_LIMIT = 256
/** Longest short string of AMQP 0-9-1 in bytes, and so in characters. */
export const SHORT_LIMIT = 255
/** How long a process may ask to wait before a command is tried again. */
const AGAIN_LIMIT_MS = 10_000

const short = z.string().max(SHORT_LIMIT).nullable()
const outcome = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('answer'),
    answer: z.string().refine((text) => Buffer.byteLength(text) <= ANSWER_LIMIT_BYTES),
  }),
  z.object({ kind: z.literal('again'), afterMs: z.int().min(0).max(AGAIN_LIMIT_MS) }),
])

/** What a process of the API says. */
const saidByApi = z.discriminatedUnion('kind', [
  /** First: the code and the settings that it runs with. */
  z.object({ kind: z.literal('hello'), build: z.string().max(BUILD_LIMIT) }),
  z.object({ kind: z.literal('ring'), host }),
  z.object({ kind: z.literal('ring-vpc'), vpc }),
  z.object({ kind: z.literal('ring-all') }),
  /** Events were noted in the records. */
  z.object({ kind: z.literal('events') }),
  questionMessageSchema.extend({ host }),
  z.object({ kind: z.literal('metrics'), re, text: z.string() }),
  /** Whether it takes clients' commands from now on. */
  z.object({ kind: z.literal('commands'), taken: z.boolean() }),
  /** What became of a command. */
  z.object({ kind: z.literal('outcome'), re, outcome }),
])
export type SaidByApi = z.infer<typeof saidByApi>

/** What the agent says besides answers. */
const saidByAgent = z.discriminatedUnion('kind', [
  /** The records have changed. */
  z.object({ kind: z.literal('changed') }),
  /** The process has other code or settings than the agent, and should end. */
  z.object({ kind: z.literal('retire') }),
  answerMessageSchema,
  /** It wants the metrics of the process. */
  z.object({ kind: z.literal('measure'), re }),
  /** A client's command, unchecked. The body is base64; null: longer than any valid one. */
  z.object({
    kind: z.literal('command'),
    re,
    body: z
      .base64()
      .max(Math.ceil(COMMAND_LIMIT_BYTES / 3) * 4)
      .nullable(),
    headers: z
      .record(z.string().regex(HEADER_NAME), z.string().max(HEADER_LIMIT))
      .refine((all) => Object.keys(all).length <= HEADERS_LIMIT),
    replyTo: short,
    correlationId: short,
    deliveries: z.int().min(0),
  }),
])
export type SaidByAgent = z.infer<typeof saidByAgent>

/** Parses a line of the API. Undefined when this version does not know it. */
export function parseSaidByApi(line: string): SaidByApi | undefined {
  return parseLine(saidByApi, line)
}

/** Parses a line of the agent. Undefined when this version does not know it. */
export function parseSaidByAgent(line: string): SaidByAgent | undefined {
  return parseLine(saidByAgent, line)
}

function parseLine<T>(schema: z.ZodType<T>, line: string): T | undefined {
  try {
    return schema.safeParse(JSON.parse(line)).data
  } catch {
    return undefined
  }
}

/** A message as a line. */
export function formatLine(message: SaidByApi | SaidByAgent): string {
  return `${JSON.stringify(message)}\n`
}

/** Takes bytes apart into lines. */
export interface LineSplitter {
  /** The lines that are complete now. Throws an `Error` when one is longer than the limit. */
  take(bytes: Buffer): readonly string[]
}

/** Nothing has arrived yet. */
export function createLineSplitter(): LineSplitter {
  let pieces: Buffer[] = []
  let length = 0
  return {
    take(bytes) {
      const lines: string[] = []
      let from = 0
      for (;;) {
        const end = bytes.indexOf(LINE_FEED, from)
        const piece = bytes.subarray(from, end === -1 ? bytes.length : end)
        length += piece.length
        if (length > LINE_LIMIT_BYTES)
          throw new Error(`a line is longer than ${LINE_LIMIT_BYTES} bytes`)
        pieces.push(piece)
        if (end === -1) return lines
        lines.push(Buffer.concat(pieces).toString())
        pieces = []
        length = 0
        from = end + 1
      }
    },
  }
}
