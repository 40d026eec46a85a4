/**
 * `api-watch.ts LAB HOST INSTANCE`: reads one instance repeatedly, in its own process, so that the
 * client's own work delays no other probe, and with its own access key, which has its own quota.
 * Prints a line for each call: its start and end in milliseconds since 1970, and whether it was
 * answered.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import { openLab } from '../../lab/lab.ts'
import { clientOf, labCredentials, readOnce } from '../api.ts'

const EVERY_MS = 100
const PATIENCE_MS = 10_000

const [name = '', host = '', instance = ''] = process.argv.slice(2)
const lab = await openLab(name)
const made = await lab.host(host).must(['atoll', 'keys', 'create', 'watched', '--json'])
const key = z.object({ id: z.string(), secret: z.string() }).parse(JSON.parse(made))
const credentials = { accessKeyId: key.id, secretAccessKey: key.secret }
const { ec2 } = clientOf(lab, host, { ...(await labCredentials(lab)), ...credentials })
const now = () => performance.timeOrigin + performance.now()
for (;;) {
  const began = now()
  const answered = await readOnce(ec2, instance, AbortSignal.timeout(PATIENCE_MS)).then(
    () => true,
    () => false,
  )
  process.stdout.write(`${began} ${now()} ${answered}\n`)
  await delay(EVERY_MS)
}
