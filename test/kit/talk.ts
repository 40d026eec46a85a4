/**
 * Small servers and clients to run inside namespaces: which source address a server sees, and a
 * connection that transfers for a second.
 */
import { eventually, type Netns } from '../../tools/kit/netns.ts'

/** Python: a server on port 7000 that answers each client with the client's address. */
export const SERVE_PEER_ADDRESS = `
import socket
server = socket.create_server(("0.0.0.0", 7000))
while True:
    connection, peer = server.accept()
    connection.sendall(peer[0].encode())
    connection.close()
`

const CONNECT = `
import socket, sys
connection = socket.create_connection((sys.argv[1], 7000), 3)
print(connection.recv(100).decode(), end="")
`

/** What such a server says to `from`. */
export async function connectUntilAnswered(from: Netns, address: string): Promise<string> {
  let answer = ''
  await eventually('a server answers', async () => {
    const { exitCode, stdout } = await from.run(['python3', '-c', CONNECT, address])
    answer = stdout
    return exitCode === 0
  })
  return answer
}

/** Python: accepts connections on port 7004, says which port each has, and keeps them. */
export const KEEP_CONNECTIONS = `
import socket
server = socket.create_server(("0.0.0.0", 7004), backlog=500)
print("ready", flush=True)
kept = []
while True:
    connection, peer = server.accept()
    connection.sendall(str(peer[1]).encode())
    kept.append(connection)
`

/** Python: a server on port 7001 that sends back what it gets. */
export const ECHO = `
import socket
server = socket.create_server(("0.0.0.0", 7001))
connection, _ = server.accept()
while True:
    data = connection.recv(1000)
    if not data: break
    connection.sendall(data)
`

/**
 * Python: says 200 things to such a server over a second or more, and prints `done` when all came
 * back.
 */
export const TALK = `
import socket, sys, time
deadline = time.monotonic() + 20
while True:
    try:
        connection = socket.create_connection((sys.argv[1], 7001), 3)
        break
    except OSError:
        if time.monotonic() > deadline: raise
        time.sleep(0.05)
connection.settimeout(20)
for number in range(200):
    text = str(number).encode()
    connection.sendall(text)
    assert connection.recv(1000) == text
    time.sleep(0.005)
print("done", end="")
`
