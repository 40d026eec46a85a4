/**
 * Names and properties of everything that Atoll declares on a RabbitMQ broker. No other file
 * contains such a name.
 *
 * Exchanges and the queue of commands are durable, and the same for all hosts and versions. A
 * broker refuses a declaration that differs from an earlier one (`PRECONDITION_FAILED`), so a
 * change here needs a new name. A host's own two queues are exclusive: they end with its connection
 * and need no replica. https://www.rabbitmq.com/docs/queues#properties,
 * https://www.rabbitmq.com/docs/quorum-queues
 */
import type { Options } from 'amqplib'
import type { HostName, VpcId } from '../../model/ids.ts'
import { MIB } from '../../model/sizes.ts'

/**
 * Bells, by routing key: `host.<name>` to one host, `vpc.<id>` to those that follow a VPC, `all` to
 * all hosts.
 */
export const BELLS_EXCHANGE = 'atoll.bells'
/** Questions and answers to a host, by routing key `host.<name>`. */
export const QUESTIONS_EXCHANGE = 'atoll.questions'
/** Commands of clients, with any routing key. The name is a contract. */
export const COMMANDS_EXCHANGE = 'atoll.commands'
/** The queue of commands. All hosts take from it. */
export const COMMANDS_QUEUE = 'atoll.commands'

/**
 * Events for programs, by routing key `<account>.<kind>.<state>`, or `operator.…` for what belongs
 * to no account. The account comes first, so that a broker can limit who may bind to what
 * (https://www.rabbitmq.com/docs/access-control#topic-authorisation). The name is a contract.
 */
export const EVENTS_EXCHANGE = 'atoll.events'

/** Routing key of bells to all hosts. */
export const ALL_KEY = 'all'

/**
 * A routing key without a queue. A message with it only shows whether the broker accepts messages.
 */
export const PROBE_KEY = 'pulse'

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
  [EVENTS_EXCHANGE]: 'topic',
} as const

/**
 * Maximum number of bells that wait for a host which does not read. Older ones are dropped first.
 */
const BELLS_QUEUE_LENGTH = 64
/** Maximum number and bytes of messages that wait for a host which does not read. */
const QUESTIONS_QUEUE_LENGTH = 2_000
const QUESTIONS_QUEUE_BYTES = 16 * MIB

/**
 * A host's queue of bells. The broker chooses a unique name, because a dead connection may still
 * have an older queue.
 */
export const BELLS_QUEUE_OPTIONS: Options.AssertQueue = {
  exclusive: true,
  durable: false,
  autoDelete: true,
  maxLength: BELLS_QUEUE_LENGTH,
  overflow: 'drop-head',
}

/** A host's queue of questions and answers. The broker chooses its name, too. */
export const QUESTIONS_QUEUE_OPTIONS: Options.AssertQueue = {
  exclusive: true,
  durable: false,
  autoDelete: true,
  maxLength: QUESTIONS_QUEUE_LENGTH,
  overflow: 'drop-head',
  arguments: { 'x-max-length-bytes': QUESTIONS_QUEUE_BYTES },
}

/**
 * Maximum number of waiting commands. Above it, clients that publish with confirms get a refusal.
 */
const COMMANDS_QUEUE_LENGTH = 10_000
const COMMANDS_QUEUE_BYTES = 64 * MIB
/**
 * How often a command is delivered again after its host died. A command that makes every host fail
 * is then dropped.
 */
const COMMANDS_DELIVERY_LIMIT = 8

/** Commands were accepted from a client, so they are replicated and durable. */
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
