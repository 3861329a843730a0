import { type Option, option, optional } from './spec.js'
import { duration, endpoints, flag, path, secretPath, text } from './values.js'

/** How etcd is reached. */
export const connectionOptions = {
  endpoints: option({
    group: 'Connection',
    shape: 'URL,…',
    about: 'client URLs of etcd; the first is the local member, the others serve when it does not answer',
    parse: endpoints,
    fallback: 'http://127.0.0.1:2379',
    etcdctl: 'ETCDCTL_ENDPOINTS',
  }),
  cacert: optional({
    group: 'Connection',
    shape: 'FILE',
    about: "certificates of the authorities that sign the members' certificates",
    parse: path,
    etcdctl: 'ETCDCTL_CACERT',
  }),
  cert: optional({
    group: 'Connection',
    shape: 'FILE',
    about: 'client certificate',
    parse: path,
    etcdctl: 'ETCDCTL_CERT',
  }),
  key: optional({
    group: 'Connection',
    shape: 'FILE',
    about: 'key of the client certificate',
    parse: path,
    etcdctl: 'ETCDCTL_KEY',
  }),
  user: optional({
    group: 'Connection',
    shape: 'NAME[:PASSWORD]',
    about: 'etcd user, where authentication is on; defragmenting takes the root role',
    parse: text,
    etcdctl: 'ETCDCTL_USER',
    secret: true,
  }),
  password: optional({
    group: 'Connection',
    shape: 'PASSWORD',
    about: 'password of the user; others can read a command line, so rather use --password-file',
    parse: text,
    etcdctl: 'ETCDCTL_PASSWORD',
    secret: true,
  }),
  'password-file': optional({
    group: 'Connection',
    shape: 'FILE',
    about: 'file whose first line is the password of the user',
    parse: secretPath,
  }),
  'insecure-skip-tls-verify': option({
    group: 'Connection',
    shape: '',
    about: 'accept any certificate from the members; for tests only',
    parse: flag,
    fallback: 'false',
    etcdctl: 'ETCDCTL_INSECURE_SKIP_TLS_VERIFY',
  }),
  'tls-server-name': optional({
    group: 'Connection',
    shape: 'NAME',
    about: "name to look for in the members' certificates instead of the host in the URL",
    parse: text,
  }),
  'dial-timeout': option({
    group: 'Connection',
    shape: 'DURATION',
    about: 'longest wait for a connection',
    parse: duration,
    fallback: '2s',
    etcdctl: 'ETCDCTL_DIAL_TIMEOUT',
  }),
  'command-timeout': option({
    group: 'Connection',
    shape: 'DURATION',
    about: 'longest wait for an answer to anything but Defragment and Snapshot',
    parse: duration,
    fallback: '5s',
    etcdctl: 'ETCDCTL_COMMAND_TIMEOUT',
  }),
} satisfies Record<string, Option<unknown>>
