/**
 * Where `atolld` begins: the process of one part, or the daemon. Each loads only what it needs.
 *
 * Exit codes: 0 asked to stop, 1 could not start or met a bug, 2 bad configuration or usage, 3 must
 * not run on this machine.
 */
import { explain } from './model/errors.ts'

/** Whether the command line names this part. */
function isPart(name: string): boolean {
  return process.argv.some((word, index) => word === '--part' && process.argv[index + 1] === name)
}

async function begin(): Promise<void> {
  if (!isPart('services')) {
    const { runProcess } = await import('./daemon-process.ts')
    return await runProcess()
  }
  try {
    const { runServices } = await import('./parts/services-main.ts')
    await runServices()
    process.exit(0)
  } catch (error) {
    process.stderr.write(`atolld --part services: ${explain(error)}\n`)
    process.exit(1)
  }
}

void begin()
