import { readFileSync } from 'node:fs'
import { Client, credentials, Metadata } from '@grpc/grpc-js'
import { FLOW_CONTROL_WINDOW } from '../../src/system/etcd/connection.js'
import { parseSnapshotResponse } from '../../src/system/etcd/protobuf.js'

/**
 * `node streamAlone.js URL [CA CERT KEY]`: takes a snapshot's stream as we do and lets go of every blob, so that what is
 * left is etcd's time and gRPC's.
 */
const [url = '', ca, cert, key] = process.argv.slice(2)
const tls =
  ca === undefined || cert === undefined || key === undefined
    ? credentials.createInsecure()
    : credentials.createSsl(readFileSync(ca), readFileSync(key), readFileSync(cert))
const client = new Client(url.replace(/^https?:\/\//, ''), tls, {
  'grpc-node.flow_control_window': FLOW_CONTROL_WINDOW,
  'grpc.max_receive_message_length': -1,
})
const stream = client.makeServerStreamRequest(
  '/etcdserverpb.Maintenance/Snapshot',
  () => Buffer.alloc(0),
  parseSnapshotResponse,
  {},
  new Metadata(),
  {},
)
let bytes = 0
for await (const blob of stream) bytes += (blob as Buffer).length
process.stdout.write(`${bytes}\n`, () => process.exit())
