/**
 * Where `atolld` begins: the process of one part, or the daemon. Each loads only what it needs.
 *
 * Exit codes: 0 asked to stop, 1 could not start or met a bug, 2 bad configuration or usage, 3 must
 * not run on this machine.
 */

/** The part that the command line names. */
function namedPart(): string | undefined {
  const { argv } = process
  return argv.find((_, index) => argv[index - 1] === '--part')
}

async function begin(): Promise<void> {
  const { runProcess } = await load()
  await runProcess()
}

function load(): Promise<{ runProcess(): Promise<void> }> {
  switch (namedPart()) {
    case 'services':
      return import('./parts/services-main.ts')
    case 'api':
      return import('./api-main.ts')
    default:
      return import('./daemon-process.ts')
  }
}

void begin()
