/** Gives a cloud of one host the engines of a cluster: records in MariaDB, and RabbitMQ. */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Cloud } from '../../tools/kit/cloud.ts'
import { type Mariadb, PASSWORD, startMariadb, USER } from '../../tools/kit/mariadb.ts'
import {
  createRabbitNode,
  RABBIT_PASSWORD,
  RABBIT_USER,
  type RabbitNode,
} from '../../tools/kit/rabbit.ts'

export interface SharedEngines {
  readonly mariadb: Mariadb
  readonly rabbit: RabbitNode
  end(): Promise<void>
}

/** Starts the engines, and the daemon with new records in them. */
export async function shareRecords(cloud: Cloud): Promise<SharedEngines> {
  const mariadb = await startMariadb()
  const rabbit = await createRabbitNode({ netns: cloud.netns, ip: '127.0.0.1', peers: [] })
  await rabbit.start()
  await cloud.stop('SIGTERM')
  const { dir, configFile } = cloud
  await rm(join(dir, 'state'), { recursive: true })
  await mkdir(join(dir, 'state/images'), { recursive: true, mode: 0o700 })
  const secrets = { secret: 'c0'.repeat(32), mariadb: PASSWORD, rabbit: RABBIT_PASSWORD }
  for (const [name, text] of Object.entries(secrets))
    await writeFile(join(dir, name), `${text}\n`, { mode: 0o600 })
  const database = await mariadb.freshDatabase()
  await writeFile(
    configFile,
    `${await readFile(configFile, 'utf8')}
cluster: {secretFile: ${dir}/secret}
store: {kind: mariadb, nodes: ['${mariadb.node}'], database: ${database}, user: ${USER}, passwordFile: ${dir}/mariadb}
bus: {kind: rabbitmq, nodes: ['${rabbit.address}'], user: ${RABBIT_USER}, passwordFile: ${dir}/rabbit}
`,
  )
  await cloud.start()
  return {
    mariadb,
    rabbit,
    async end() {
      await rabbit[Symbol.asyncDispose]()
      await mariadb.end()
    },
  }
}
