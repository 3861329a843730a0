import { noop } from 'cockatiel'
import { Etcd3 } from 'etcd3'

/** A client of one endpoint, of a library's own making: every call ends, and none is sent twice. */
export const clientAt = (url: string, timeoutMs: number): Etcd3 =>
  new Etcd3({
    hosts: url.replace('http://', ''),
    faultHandling: { global: noop, host: () => noop },
    defaultCallOptions: ({ isStream }) => (isStream ? {} : { deadline: Date.now() + timeoutMs }),
    grpcOptions: {
      'grpc.enable_retries': 0,
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 500,
      'grpc.max_receive_message_length': -1,
    },
  })
