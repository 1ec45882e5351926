//! Several workers on one in-memory log, all on one thread, so that every interleaving can be chosen.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::time::Duration;

use auscult_runtime::compute::{Compute, ComputeConfig};
use auscult_runtime::core::{Action, Batch, BatchId, Core, CoreConfig, Epoch, Event};
use auscult_runtime::memory_log::{
    Membership, MemoryConsumer, MemoryLog, MemoryProducer, MemoryRestorer, MemoryWorker,
};
use auscult_runtime::ports::{
    ConsumerEvent, Failure, LogClients, LogConsumer, LogProducer, LogRestorer, RefusedOutput, Transaction,
};
use auscult_runtime::record::{OutputRecord, Record};
use auscult_runtime::traces::TraceRule;
use auscult_schemas::Headers;
use bytes::Bytes;

use crate::chain::{CHANGELOG, Chain, GROUP, INPUT, LARGEST, OUTPUT};

pub type Entries = HashMap<Bytes, Bytes>;

enum Command {
    Install(i32, Entries),
    Process(Batch<Record>),
    Refuse(Vec<RefusedOutput>),
    Swap(BatchId),
    Drop(BatchId),
    Discard,
    Forget(i32),
}

struct Clients {
    consumer: MemoryConsumer,
    producer: MemoryProducer,
    restorer: MemoryRestorer,
    commit: Option<(BatchId, Transaction<Membership>)>,
    restores: VecDeque<(i32, Epoch)>,
}

pub struct Worker {
    id: String,
    core: Core<Record, OutputRecord, Entries>,
    compute: Compute<Chain>,
    commands: VecDeque<Command>,
    clients: Option<Clients>,
    is_over: bool,
    /// Batches of which neither the end nor the giving up has been told. The runner's watchdog goes by that.
    under_way: HashSet<BatchId>,
}

pub struct World {
    pub log: MemoryLog,
    pub partitions: i32,
    /// By partition, with their offsets.
    pub inputs: BTreeMap<i32, Vec<(i64, OutputRecord)>>,
    workers: Vec<Worker>,
    now: Duration,
}

fn core_config() -> CoreConfig {
    CoreConfig {
        max_batch_records: 4,
        max_batch_bytes: 4_000,
        max_batch_age: Duration::from_millis(10),
        max_buffer_bytes: 6_000,
        drain_deadline: Duration::from_millis(50),
        abort_backoff: Duration::from_millis(5),
        max_abort_backoff: Duration::from_millis(40),
    }
}

fn compute_config(worker: &str) -> ComputeConfig {
    ComputeConfig {
        worker: worker.to_owned(),
        changelog: Some(CHANGELOG),
        max_value_bytes: 1_000,
        max_time_ahead: Duration::from_secs(3600),
        traces: TraceRule::carrying("delivery"),
    }
}

impl World {
    pub fn new(partitions: i32, workers: usize) -> Self {
        let log = MemoryLog::new();
        for topic in [INPUT, OUTPUT, CHANGELOG, auscult_schemas::topics::DEAD_LETTERS] {
            log.create_topic(topic, partitions);
        }
        for topic in [OUTPUT, CHANGELOG, auscult_schemas::topics::DEAD_LETTERS] {
            log.take_at_most(topic, LARGEST);
        }
        let mut world = Self { log, partitions, inputs: BTreeMap::new(), workers: Vec::new(), now: Duration::ZERO };
        for number in 0..workers {
            let worker = world.fresh_worker(format!("worker-{number}"));
            world.workers.push(worker);
        }
        world
    }

    fn fresh_worker(&self, id: String) -> Worker {
        let compute = Compute::new(compute_config(&id), Chain::default());
        let clients = Some(self.connect(&id));
        Worker {
            core: Core::new(core_config()),
            compute,
            commands: VecDeque::new(),
            clients,
            is_over: false,
            under_way: HashSet::new(),
            id,
        }
    }

    fn connect(&self, id: &str) -> Clients {
        let worker = MemoryWorker {
            group: GROUP.to_owned(),
            topic: INPUT.to_owned(),
            transactional_id: id.to_owned(),
            transaction_timeout: Duration::from_secs(60),
        };
        let made = self.log.clients(worker).connect().unwrap();
        Clients {
            consumer: made.consumer,
            producer: made.producer,
            restorer: made.restorer,
            commit: None,
            restores: VecDeque::new(),
        }
    }

    pub fn append(&mut self, partition: i32, machine: u8, value: &[u8]) {
        let record = OutputRecord {
            topic: INPUT.to_owned(),
            partition,
            key: Some(Bytes::from(format!("machine-{machine}"))),
            value: Some(Bytes::copy_from_slice(value)),
            headers: Headers::default(),
            timestamp_ms: None,
            source_offset: None,
        };
        // Every other one as a worker writes it, with a marker behind it.
        let is_transactional = machine % 2 == 1;
        let written = record.clone();
        let offset = if is_transactional { self.log.append_committed(written) } else { self.log.append(written) };
        self.inputs.entry(partition).or_default().push((offset, record));
    }

    /// Looks where partitions end that are at rest, as the runner does.
    pub fn sound(&mut self, index: usize) -> bool {
        let mut has_moved = false;
        for (partition, epoch, from) in self.workers[index].core.at_rest() {
            let Some(clients) = &mut self.workers[index].clients else { break };
            if let Ok(Some(to)) = clients.restorer.undelivered_end(partition, from) {
                has_moved = true;
                self.feed(index, Event::Skipped { partition, epoch, from, to });
            }
        }
        has_moved
    }

    /// How long until anything is due at a worker.
    pub fn waits_until(&self, index: usize) -> Option<Duration> {
        self.workers[index].core.next_deadline().map(|deadline| deadline.saturating_sub(self.now))
    }

    pub fn pass_time(&mut self, time: Duration) {
        self.now += time;
        for index in 0..self.workers.len() {
            self.feed(index, Event::Tick);
        }
    }

    /// The worker's process dies where it stands and is started again under the same name.
    pub fn crash(&mut self, index: usize) {
        let id = self.workers[index].id.clone();
        let fresh = self.fresh_worker(id);
        self.workers[index] = fresh;
    }

    pub fn stop(&mut self, index: usize) {
        self.feed(index, Event::Stop);
    }

    pub fn expire_member(&mut self, index: usize) {
        if let Some(clients) = &self.workers[index].clients {
            self.log.expire_member(GROUP, clients.consumer.member());
        }
    }

    pub fn expire_transaction(&mut self, index: usize) {
        self.log.expire_transaction(&self.workers[index].id);
    }

    pub fn poll(&mut self, index: usize) -> bool {
        let Some(clients) = &mut self.workers[index].clients else { return false };
        let Some(event) = clients.consumer.poll(Duration::ZERO) else { return false };
        let event = match event {
            ConsumerEvent::Record(record) => Event::Fetched {
                partition: record.coordinates.partition,
                offset: record.coordinates.offset,
                bytes: record.bytes(),
                record,
            },
            ConsumerEvent::Assigned(partitions) => Event::Assigned(partitions),
            ConsumerEvent::Revoked(partitions) => Event::Revoked(partitions),
            ConsumerEvent::Lost(partitions) => Event::Lost(partitions),
            ConsumerEvent::Failed(failure) => Event::ClientFailed(failure.to_string()),
        };
        self.feed(index, event);
        true
    }

    pub fn compute(&mut self, index: usize) -> bool {
        let worker = &mut self.workers[index];
        let Some(command) = worker.commands.pop_front() else { return false };
        let compute = &mut worker.compute;
        match command {
            Command::Install(partition, entries) => assert_eq!(compute.install(partition, entries), 0),
            Command::Swap(batch) => compute.swap(batch),
            Command::Refuse(outputs) => compute.refuse(&outputs),
            Command::Drop(batch) => compute.states().drop_batch(batch),
            Command::Discard => compute.states().discard(),
            Command::Forget(partition) => compute.forget(partition),
            Command::Process(batch) => {
                let computed = compute.process(&batch);
                let event = Event::Computed { batch: batch.id, outputs: computed.outputs, bytes: computed.bytes };
                self.feed(index, event);
            }
        }
        true
    }

    pub fn commit(&mut self, index: usize) -> bool {
        let Some(clients) = &mut self.workers[index].clients else { return false };
        let Some((batch, transaction)) = clients.commit.take() else { return false };
        let event = match clients.producer.commit(transaction) {
            Ok(()) => Event::Committed { batch },
            Err(failure) => Event::CommitFailed { batch, failure },
        };
        self.feed(index, event);
        true
    }

    pub fn restore(&mut self, index: usize) -> bool {
        let Some(clients) = &mut self.workers[index].clients else { return false };
        let Some((partition, epoch)) = clients.restores.front().copied() else { return false };
        let event = match clients.restorer.try_restore(partition, Some(CHANGELOG)) {
            Ok(None) => return false,
            Ok(Some(restored)) => {
                Event::Restored { partition, epoch, position: restored.position, state: restored.entries }
            }
            Err(failure) => Event::ClientFailed(failure.to_string()),
        };
        clients.restores.pop_front();
        self.feed(index, event);
        true
    }

    fn feed(&mut self, index: usize, event: Event<Record, OutputRecord, Entries>) {
        let now = self.now;
        if let Event::CommitFailed { batch, failure } = &event {
            self.workers[index].under_way.remove(batch);
            if let Failure::Refused { outputs, .. } = failure {
                self.workers[index].commands.push_back(Command::Refuse(outputs.clone()));
            }
        }
        let mut actions = VecDeque::from(self.workers[index].core.handle(event, now));
        while let Some(action) = actions.pop_front() {
            let follows = self.act(index, action);
            if let Some(event) = follows {
                actions.extend(self.workers[index].core.handle(event, now));
            }
        }
    }

    fn act(
        &mut self,
        index: usize,
        action: Action<Record, OutputRecord, Entries>,
    ) -> Option<Event<Record, OutputRecord, Entries>> {
        let id = self.workers[index].id.clone();
        let replacement = matches!(action, Action::ReplaceClients { .. }).then(|| {
            self.workers[index].clients = None;
            self.connect(&id)
        });
        let worker = &mut self.workers[index];
        match action {
            Action::ReplaceClients { .. } => {
                worker.clients = replacement;
                worker.under_way.clear();
                return Some(Event::ClientsReplaced);
            }
            Action::Exit => {
                worker.clients = None;
                worker.is_over = true;
            }
            Action::Compute(batch) => {
                worker.under_way.insert(batch.id);
                worker.commands.push_back(Command::Process(batch));
            }
            Action::InstallState { partition, state } => {
                worker.commands.push_back(Command::Install(partition, state));
            }
            Action::SwapState { batch } => {
                worker.under_way.remove(&batch);
                worker.commands.push_back(Command::Swap(batch));
            }
            Action::DropBatch { batch } => {
                worker.under_way.remove(&batch);
                worker.commands.push_back(Command::Drop(batch));
            }
            Action::DiscardState => worker.commands.push_back(Command::Discard),
            Action::ForgetState { partition } => worker.commands.push_back(Command::Forget(partition)),
            on_clients => {
                let clients = worker.clients.as_mut().expect("clients are there until they are replaced or closed");
                act_on_clients(clients, on_clients).unwrap();
            }
        }
        None
    }

    /// Lets everybody work until nothing is left to do, and starts those again that had been stopped.
    pub fn settle(&mut self) {
        for index in 0..self.workers.len() {
            if self.workers[index].is_over {
                self.crash(index);
            }
        }
        for round in 0..10_000 {
            let mut is_busy = false;
            for index in 0..self.workers.len() {
                is_busy |= self.sound(index);
                is_busy |= self.poll(index) | self.compute(index) | self.commit(index) | self.restore(index);
            }
            self.pass_time(Duration::from_millis(20));
            for index in 0..self.workers.len() {
                if self.workers[index].is_over {
                    self.crash(index);
                    is_busy = true;
                }
            }
            if !is_busy && self.log.lag(GROUP, INPUT) == 0 {
                for worker in &self.workers {
                    assert!(worker.under_way.is_empty(), "{:?} never came to an end", worker.under_way);
                }
                return;
            }
            // A worker that died inside a transaction and never came back: the coordinator's own timeout ends it.
            if !is_busy && round > 5_000 {
                panic!("the workers stall with a lag of {}", self.log.lag(GROUP, INPUT));
            }
        }
        panic!("the workers never come to rest; lag {}", self.log.lag(GROUP, INPUT));
    }
}

fn act_on_clients(clients: &mut Clients, action: Action<Record, OutputRecord, Entries>) -> Result<(), Failure> {
    match action {
        Action::Restore { partition, epoch } => clients.restores.push_back((partition, epoch)),
        Action::Start { positions } => clients.consumer.start(&positions)?,
        Action::Release { partitions } => clients.consumer.release(&partitions)?,
        Action::Pause { partitions } => clients.consumer.pause(&partitions)?,
        Action::Resume { partitions } => clients.consumer.resume(&partitions)?,
        Action::Commit { batch, outputs, offsets } => {
            let membership = clients.consumer.membership()?;
            let is_first = clients.commit.replace((batch, Transaction { outputs, offsets, membership })).is_none();
            assert!(is_first, "one commit at a time");
        }
        other => unreachable!("{other:?}"),
    }
    Ok(())
}
