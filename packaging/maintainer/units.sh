# What is enabled and started, and what those start.
units='etcd-defrag.timer etcd-defrag-drill.timer etcd-defrag-daemon.service'
runs='etcd-defrag.service etcd-defrag-drill.service'
