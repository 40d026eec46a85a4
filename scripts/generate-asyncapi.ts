/**
 * Writes `docs/asyncapi.yaml`, the AsyncAPI document of the bus: commands of clients, and messages
 * between hosts. All of it comes from the schemas that the daemon parses with. A test checks that
 * the committed file is what this writes.
 *
 * Source: https://www.asyncapi.com/docs/reference/specification/v3.0.0
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { z } from 'zod'
import packageJson from '../package.json' with { type: 'json' }
import { allActions } from '../src/api/actions/all.ts'
import { answerSchema, commandHeaders, commandSchema } from '../src/api/commands/command.ts'
import type { Scalar, Shape, Structure } from '../src/api/wire/model.ts'
import { actionTable } from '../src/api/wire/table.ts'
import {
  answerMessageSchema,
  bellMessageSchema,
  envelopeSchema,
  QUESTION_SCHEMAS,
  questionMessageSchema,
} from '../src/bus/rabbit/messages.ts'
import {
  BELLS_EXCHANGE,
  COMMANDS_EXCHANGE,
  EVENTS_EXCHANGE,
  EXCHANGES,
  QUESTIONS_EXCHANGE,
} from '../src/bus/rabbit/names.ts'
import { EVENT_KINDS, eventSchemas } from '../src/model/cloud-event.ts'
import { assertNever } from '../src/model/errors.ts'

const FILE = join(import.meta.dirname, '../docs/asyncapi.yaml')
const HEAD = '# Written by scripts/generate-asyncapi.ts; do not edit.\n'

type Json = Readonly<Record<string, unknown>>

/** The document as the file has it. */
export function readAsyncApi(): string {
  return readFileSync(FILE, 'utf8')
}

/** The document as the schemas have it. */
export function asyncApi(): string {
  const schemas = new Map<string, Json>()
  const table = [...actionTable(allActions)].sort(([a], [b]) => (a < b ? -1 : 1))
  const commands = table.map(([name, { wire }]) => ({
    type: 'object',
    properties: { action: { const: name }, parameters: refer(wire.input, 'Input', schemas) },
  }))
  const results = table.flatMap(([, { wire }]) =>
    wire.output === undefined ? [] : [refer(wire.output, 'Output', schemas)],
  )
  const document = {
    asyncapi: '3.0.0',
    info: { title: 'Atoll on the bus', version: packageJson.version, description: ABOUT },
    defaultContentType: 'application/json',
    servers: { rabbitmq: { host: '{node}:5671', protocol: 'amqps', variables: { node: NODE } } },
    channels: CHANNELS,
    operations: OPERATIONS,
    components: {
      messages: messages(commands, results),
      schemas: Object.fromEntries([...schemas].sort(([a], [b]) => (a < b ? -1 : 1))),
    },
  }
  return HEAD + stringify(document, { aliasDuplicateObjects: false, lineWidth: 130 })
}

const ABOUT = `Atoll has no controller: every host takes commands from one shared queue, and any of them answers.
Clients send to the exchange ${COMMANDS_EXCHANGE} and bind queues to ${EVENTS_EXCHANGE}, and use nothing else; bells and questions are between hosts, signed with the cluster's secret.`
const NODE = { default: '127.0.0.1', description: 'Any node of the RabbitMQ cluster' }

const exchange = (name: keyof typeof EXCHANGES) => ({
  amqp: { is: 'routingKey', exchange: { name, type: EXCHANGES[name], durable: true, vhost: '/' } },
})
const message = (name: string) => ({ [name]: { $ref: `#/components/messages/${name}` } })

const CHANNELS = {
  commands: {
    address: COMMANDS_EXCHANGE,
    description:
      'Commands of clients, by any routing key. Publish persistent messages with confirms: a confirmed command outlives the loss of a broker and of the host that took it.',
    messages: message('command'),
    bindings: exchange(COMMANDS_EXCHANGE),
  },
  answers: {
    address: null,
    description: "The queue that a command's reply_to names, or direct reply-to.",
    messages: message('answer'),
  },
  events: {
    address: EVENTS_EXCHANGE,
    description: `What happens, in EventBridge's form, by routing key <account>.<kind>.<state>, or operator.<kind>.<state> for hosts. Kinds: ${EVENT_KINDS.join(', ')}. Bind a queue of your own with a key such as 000000000001.#. At least once: drop repeats by id. Not in order: time and the header x-atoll-time-ms (milliseconds) tell.`,
    messages: Object.assign({}, ...EVENT_KINDS.map((kind) => message(kind))),
    bindings: exchange(EVENTS_EXCHANGE),
  },
  bells: {
    address: BELLS_EXCHANGE,
    description:
      'Between hosts: "look again", by routing key host.<name>, vpc.<id> (hosts with instances in it) or all. A bell carries no truth; losing one costs a delay.',
    messages: message('bells'),
    bindings: exchange(BELLS_EXCHANGE),
  },
  questions: {
    address: QUESTIONS_EXCHANGE,
    description: 'Between hosts: questions and the answers to them, by routing key host.<name>.',
    messages: message('letters'),
    bindings: exchange(QUESTIONS_EXCHANGE),
  },
}

const channel = (name: keyof typeof CHANNELS) => ({ $ref: `#/channels/${name}` })
const OPERATIONS = {
  takeCommand: {
    action: 'receive',
    channel: channel('commands'),
    summary: 'Does what the EC2 API does for the same action, and answers',
    reply: {
      address: { location: '$message.header#/replyTo' },
      channel: channel('answers'),
    },
  },
  publishEvent: { action: 'send', channel: channel('events') },
  ring: { action: 'send', channel: channel('bells') },
  ask: { action: 'send', channel: channel('questions') },
}

const SIGNED =
  "32 bytes of HMAC-SHA256, by a key derived from the cluster's secret, and then this in JSON; the signature covers every byte of it."

const EVENT_TITLES = {
  'instance-state-change': 'An instance has another state',
  'instance-event': 'Something is scheduled for an instance',
  'host-state-change': 'A host is lost, live again, drained or forgotten',
} as const
const EVENT_HEADERS = {
  type: 'object',
  properties: {
    'x-atoll-time-ms': {
      type: 'integer',
      description: 'When it happened: milliseconds since 1970',
    },
  },
}

function messages(commands: readonly Json[], results: readonly Json[]): Json {
  const asked = Object.entries(QUESTION_SCHEMAS).map(([question, { ask }]) => ({
    properties: { question: { const: question }, ask: schemaOf(ask) },
  }))
  const answered = Object.values(QUESTION_SCHEMAS).map(({ answer }) => schemaOf(answer))
  return {
    command: {
      title: 'A command',
      headers: schemaOf(commandHeaders),
      payload: { allOf: [schemaOf(commandSchema), { oneOf: commands }] },
    },
    answer: {
      title: 'The answer to a command',
      payload: { allOf: [schemaOf(answerSchema), { properties: { result: { anyOf: results } } }] },
    },
    ...Object.fromEntries(
      EVENT_KINDS.map((kind) => [
        kind,
        {
          title: EVENT_TITLES[kind],
          headers: EVENT_HEADERS,
          payload: schemaOf(eventSchemas[kind]),
        },
      ]),
    ),
    bells: {
      title: 'A bell',
      contentType: 'application/octet-stream',
      description: SIGNED,
      payload: envelopeOf([schemaOf(bellMessageSchema)]),
    },
    letters: {
      title: 'Questions and answers',
      contentType: 'application/octet-stream',
      description: SIGNED,
      payload: envelopeOf([
        { allOf: [schemaOf(questionMessageSchema), { oneOf: asked }] },
        { allOf: [schemaOf(answerMessageSchema), { properties: { answer: { anyOf: answered } } }] },
      ]),
    },
  }
}

function envelopeOf(letters: readonly Json[]): Json {
  return {
    allOf: [schemaOf(envelopeSchema), { properties: { letters: { items: { anyOf: letters } } } }],
  }
}

/** A zod schema as what a writer has to write. */
function schemaOf(schema: z.ZodType): Json {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
    target: 'draft-7',
  })
  return rest
}

/** A reference to a structure of the EC2 model, which is entered with all that it refers to. */
function refer(structure: Structure, side: 'Input' | 'Output', schemas: Map<string, Json>): Json {
  const name = `${side}.${structure.name}`
  if (!schemas.has(name)) {
    // AcceptedConsole before its members, so that a structure may refer to itself.
    schemas.set(name, {})
    const members = [...structure.byMember.values()].map(
      ({ member, shape }) => [member, shapeSchema(shape, side, schemas)] as const,
    )
    schemas.set(name, {
      type: 'object',
      additionalProperties: false,
      ...(members.length === 0 ? {} : { properties: Object.fromEntries(members) }),
    })
  }
  return { $ref: `#/components/schemas/${name}` }
}

function shapeSchema(shape: Shape, side: 'Input' | 'Output', schemas: Map<string, Json>): Json {
  switch (shape.kind) {
    case 'scalar':
      return SCALARS[shape.type]
    case 'list':
      return { type: 'array', items: shapeSchema(shape.of, side, schemas) }
    case 'structure':
      return refer(shape.structure, side, schemas)
    case 'map': {
      const value = shape.entry.byMember.get('value')
      if (value === undefined) throw new Error('a map without values')
      return { type: 'object', additionalProperties: shapeSchema(value.shape, side, schemas) }
    }
    default:
      return assertNever(shape)
  }
}

const SCALARS: Readonly<Record<Scalar, Json>> = {
  string: { type: 'string' },
  number: { type: 'number' },
  boolean: { type: 'boolean' },
  timestamp: { type: 'string', format: 'date-time' },
  blob: { type: 'string', contentEncoding: 'base64' },
}

if (import.meta.main) writeFileSync(FILE, asyncApi())
