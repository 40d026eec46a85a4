/**
 * The names and properties of everything that Atoll declares on a RabbitMQ broker. No other file
 * spells such a name.
 *
 * Exchanges and the queue of commands are durable and the same for all hosts and versions. A broker
 * refuses a second declaration that differs (`PRECONDITION_FAILED`), so a change here needs a new
 * name. A host's own two queues are exclusive: they end with its connection and need no replica.
 * https://www.rabbitmq.com/docs/queues#properties, https://www.rabbitmq.com/docs/quorum-queues
 */
import type { Options } from 'amqplib'
import type { HostName, VpcId } from '../../model/ids.ts'
import { MIB } from '../../model/sizes.ts'

/**
 * Bells: by routing key `host.<name>` to one host, `vpc.<id>` to those that follow a VPC, `all` to
 * all of them.
 */
export const BELLS_EXCHANGE = 'atoll.bells'
/** Questions to a host and the answers to them, by routing key `host.<name>`. */
export const QUESTIONS_EXCHANGE = 'atoll.questions'
/** Commands of clients, by any routing key. The name is a contract. */
export const COMMANDS_EXCHANGE = 'atoll.commands'
/** The one queue of commands: each is taken by some host. */
export const COMMANDS_QUEUE = 'atoll.commands'

/** Routing key of bells to all hosts. */
export const ALL_KEY = 'all'

/**
 * Routing key that leads to no queue: what goes there only shows whether the broker takes messages.
 */
export const PULSE_KEY = 'pulse'

/** Routing key of the hosts that follow a VPC. */
export function vpcKey(vpc: VpcId): string {
  return `vpc.${vpc}`
}

/** Routing key of one host. */
export function hostKey(host: HostName): string {
  return `host.${host}`
}

/** The kind of each exchange. */
export const EXCHANGES = {
  [BELLS_EXCHANGE]: 'direct',
  [QUESTIONS_EXCHANGE]: 'direct',
  [COMMANDS_EXCHANGE]: 'topic',
} as const

/** Most bells that wait for a host which does not read; older ones are dropped for newer. */
const BELLS_QUEUE_LENGTH = 64
/** Most messages, and bytes of them, that wait for a host which does not read. */
const QUESTIONS_QUEUE_LENGTH = 2_000
const QUESTIONS_QUEUE_BYTES = 16 * MIB

/**
 * A host's queue for bells. The broker gives it a name that no other has: an older one may still be
 * held by a dead connection.
 */
export const BELLS_QUEUE_OPTIONS: Options.AssertQueue = {
  exclusive: true,
  durable: false,
  autoDelete: true,
  maxLength: BELLS_QUEUE_LENGTH,
  overflow: 'drop-head',
}

/** A host's queue for questions and answers, named by the broker too. */
export const QUESTIONS_QUEUE_OPTIONS: Options.AssertQueue = {
  exclusive: true,
  durable: false,
  autoDelete: true,
  maxLength: QUESTIONS_QUEUE_LENGTH,
  overflow: 'drop-head',
  arguments: { 'x-max-length-bytes': QUESTIONS_QUEUE_BYTES },
}

/** Most commands that wait for a host to take them; who publishes more with confirms is told so. */
const COMMANDS_QUEUE_LENGTH = 10_000
const COMMANDS_QUEUE_BYTES = 64 * MIB
/**
 * How often a command is handed out again after its host died; one that kills every host that takes
 * it is then dropped.
 */
const COMMANDS_DELIVERY_LIMIT = 8

/** Commands were accepted from a client, so they are replicated and outlive nodes. */
export const COMMANDS_QUEUE_OPTIONS: Options.AssertQueue = {
  durable: true,
  maxLength: COMMANDS_QUEUE_LENGTH,
  overflow: 'reject-publish',
  arguments: {
    'x-queue-type': 'quorum',
    'x-max-length-bytes': COMMANDS_QUEUE_BYTES,
    'x-delivery-limit': COMMANDS_DELIVERY_LIMIT,
  },
}
