/** The engines of the benchmark: one real MariaDB and one real RabbitMQ, and their counters. */
import { connect } from 'amqplib'
import { ALL_KEY, BELLS_EXCHANGE, EXCHANGES } from '../../../src/bus/rabbit/names.ts'
import { processorSeconds } from '../../kit/daemon-processes.ts'
import { administer, type Mariadb, startMariadb } from '../../kit/mariadb.ts'
import { RABBIT_PASSWORD, RABBIT_USER, type RabbitNode, startRabbit } from '../../kit/rabbit.ts'

/**
 * Each commit is on the disk before it is answered, as in a production cluster. A thread pool
 * serves a thousand hosts' connections better than a thread for each
 * (https://mariadb.com/kb/en/thread-pool-in-mariadb/).
 */
const MARIADB_OPTIONS = [
  '--innodb-flush-log-at-trx-commit=1',
  '--innodb-flush-method=O_DIRECT',
  '--innodb-buffer-pool-size=256M',
  '--innodb-log-file-size=128M',
  '--max-connections=9000',
  '--table-open-cache=4000',
  '--thread-handling=pool-of-threads',
]

/** MariaDB's counters since its start. */
interface SqlCounts {
  /** Statements of clients, including transaction control (its status variable `Questions`). */
  readonly statements: number
  readonly rollbacks: number
  readonly cpuMs: number
}

export interface Engines extends AsyncDisposable {
  readonly mariadb: Mariadb
  readonly rabbit: RabbitNode
  sqlCounts(): Promise<SqlCounts>
  /** Bells to all hosts since the engines started, counted as a host receives them. */
  bellsToAll(): number
}

/**
 * Starts both on the loopback of a namespace, into which the caller is moved until it disposes of
 * them.
 */
export async function startEngines(): Promise<Engines> {
  await using made = new AsyncDisposableStack()
  const rabbit = made.use(await startRabbit())
  // The kit's limit is for a few hosts. A broker at its limit stops its publishers.
  await rabbit.ctl('set_vm_memory_high_watermark', 'absolute', '4GB')
  const listener = await startListener(rabbit)
  made.defer(() => listener.close())
  const mariadb = await startMariadb(MARIADB_OPTIONS)
  made.defer(() => mariadb.end())
  const kept = made.move()
  return {
    mariadb,
    rabbit,
    sqlCounts: () => countMariadb(mariadb),
    bellsToAll: listener.count,
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  }
}

async function countMariadb({ directory, server }: Mariadb): Promise<SqlCounts> {
  const rows = await administer(
    directory,
    "show global status where variable_name in ('Questions', 'Com_rollback')",
  )
  const values = new Map(
    rows.map((row) => {
      const { Variable_name: name, Value: value } = row as Record<string, unknown>
      return [String(name), Number(value)]
    }),
  )
  return {
    statements: values.get('Questions') ?? 0,
    rollbacks: values.get('Com_rollback') ?? 0,
    cpuMs: (await processorSeconds(server.pid)) * 1000,
  }
}

/** A queue that gets the bells to all hosts. */
async function startListener(rabbit: RabbitNode) {
  const [hostname = '', port] = rabbit.address.split(':')
  const login = { username: RABBIT_USER, password: RABBIT_PASSWORD }
  const model = await connect({ hostname, port: Number(port), ...login }, { noDelay: true })
  // Ended with the broker, maybe earlier.
  model.on('error', () => undefined)
  const channel = await model.createChannel()
  await channel.assertExchange(BELLS_EXCHANGE, EXCHANGES[BELLS_EXCHANGE], { durable: true })
  const { queue } = await channel.assertQueue('', { exclusive: true })
  await channel.bindQueue(queue, BELLS_EXCHANGE, ALL_KEY)
  let heard = 0
  const hear = () => {
    heard += 1
  }
  await channel.consume(queue, hear, { noAck: true })
  return { count: () => heard, close: () => model.close() }
}
