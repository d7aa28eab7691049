//! What waits for one subscriber: bounded, and never short of something in silence.

use super::notification::Notification;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many messages wait for a pull point.
pub(super) const DEEPEST: usize = 4096;
/// What all messages that wait for anybody may come to in bytes, each counted once.
pub(super) const BUDGET: usize = 4 * 1024 * 1024;

/// What waits in all queues of a hub, each message counted once. What only the log has is none of it, since no queue that is emptied gives
/// it back; nor is an answer on its way, of which each pull point has one at most.
#[derive(Debug, Clone, Default)]
pub(super) struct Total(Arc<AtomicUsize>);

impl Total {
    /// What all of them come to in bytes.
    pub(super) fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// A message waits in a queue, or in one more.
    fn add(&self, message: &Notification) {
        if message.queues.fetch_add(1, Ordering::Relaxed) == 0 {
            self.0.fetch_add(message.weight(), Ordering::Relaxed);
        }
    }

    /// It left one.
    fn remove(&self, message: &Notification) {
        if message.queues.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.0.fetch_sub(message.weight(), Ordering::Relaxed);
        }
    }
}

/// Messages in the order in which they were told.
#[derive(Debug)]
pub(super) struct Queue {
    waiting: VecDeque<Arc<Notification>>,
    weight: usize,
    most: usize,
    lost: u64,
    total: Total,
}

impl Queue {
    /// A queue of `most` messages, counted in the total.
    pub(super) fn new(most: usize, total: Total) -> Self {
        Self { waiting: VecDeque::new(), weight: 0, most: most.max(1), lost: 0, total }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn weight(&self) -> usize {
        self.weight
    }

    pub(super) fn push(&mut self, message: Arc<Notification>) {
        self.weight += message.weight();
        self.total.add(&message);
        self.waiting.push_back(message);
        if self.waiting.len() > self.most {
            self.shed();
        }
    }

    /// Takes the oldest: `most` messages at most, of `bytes` at most, but one if there is one.
    pub(super) fn take(&mut self, most: usize, bytes: usize) -> Vec<Arc<Notification>> {
        let mut taken = Vec::new();
        let mut weight = 0;
        while let Some(message) = self.waiting.front() {
            weight += message.weight();
            if taken.len() >= most || (weight > bytes && !taken.is_empty()) {
                break;
            }
            self.weight -= message.weight();
            self.total.remove(message);
            taken.extend(self.waiting.pop_front());
        }
        taken
    }

    /// Puts back what was taken and never arrived.
    pub(super) fn put_back(&mut self, messages: Vec<Arc<Notification>>) {
        for message in messages.into_iter().rev() {
            self.weight += message.weight();
            self.total.add(&message);
            self.waiting.push_front(message);
        }
        if self.waiting.len() > self.most {
            self.shed();
        }
    }

    /// Forgets all that waits, which was asked for.
    pub(super) fn clear(&mut self) {
        self.waiting.drain(..).for_each(|message| self.total.remove(&message));
        self.weight = 0;
    }

    /// How many had to go since somebody asked.
    pub(super) fn take_lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }

    /// Makes room: the oldest go that are no state, or a state that a later one in the queue makes old. Only when there are none, the
    /// oldest of all. Some at once, since looking costs the length of the queue.
    pub(super) fn shed(&mut self) {
        let before = self.waiting.len();
        let mut wanted = (before / 16).max(before.saturating_sub(self.most)).max(1);
        let mut later: HashMap<u64, usize> = HashMap::new();
        self.waiting.iter().filter_map(|message| message.property).for_each(|of| *later.entry(of).or_default() += 1);
        self.waiting.retain(|message| {
            let goes = wanted > 0
                && message.property.is_none_or(|of| {
                    later.get_mut(&of).is_some_and(|count| {
                        let superseded = *count > 1;
                        *count -= usize::from(superseded);
                        superseded
                    })
                });
            wanted -= usize::from(goes);
            if goes {
                self.total.remove(message);
            }
            !goes
        });
        if self.waiting.len() == before {
            self.waiting.pop_front().iter().for_each(|message| self.total.remove(message));
        }
        self.weight = self.waiting.iter().map(|message| message.weight()).sum();
        self.lost += (before - self.waiting.len()) as u64;
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use oriel_onvif::events::Message;
    use oriel_onvif::notification::Topic;

    fn message(number: u64, property: Option<u64>) -> Arc<Notification> {
        Arc::new(Notification::new(number, Topic::default(), Message::default()).about(property))
    }

    fn numbers(queue: &mut Queue) -> Vec<u64> {
        queue.take(usize::MAX, usize::MAX).iter().map(|message| message.number).collect()
    }

    #[test]
    fn a_full_queue_keeps_the_last_state_of_each_property() {
        let mut queue = Queue::new(4, Total::default());
        for (number, property) in [(1, Some(7)), (2, None), (3, Some(7)), (4, Some(8)), (5, None)] {
            queue.push(message(number, property));
        }
        assert_eq!(queue.take_lost(), 1);
        queue.push(message(6, Some(8)));
        queue.push(message(7, None));
        queue.push(message(8, None));
        assert_eq!(queue.take_lost(), 3);
        let left = numbers(&mut queue);
        assert!(left.contains(&3) && left.contains(&6), "{left:?}");
        assert!(left.is_sorted(), "{left:?}");
        assert_eq!(queue.take_lost(), 0);
    }

    #[test]
    fn when_all_are_last_states_the_oldest_goes() {
        let mut queue = Queue::new(2, Total::default());
        (1..=3).for_each(|number| queue.push(message(number, Some(number))));
        assert_eq!((queue.take_lost(), numbers(&mut queue)), (1, vec![2, 3]));
    }

    #[test]
    fn what_is_put_back_comes_first_again() {
        let mut queue = Queue::new(8, Total::default());
        (1..=5).for_each(|number| queue.push(message(number, None)));
        let taken = queue.take(3, usize::MAX);
        assert_eq!(taken.len(), 3);
        queue.put_back(taken);
        assert_eq!(numbers(&mut queue), vec![1, 2, 3, 4, 5]);
        assert_eq!(queue.weight(), 0);
    }

    #[test]
    fn one_message_is_taken_however_large_it_is() {
        let mut queue = Queue::new(8, Total::default());
        (1..=2).for_each(|number| queue.push(message(number, None)));
        assert_eq!(queue.take(8, 1).len(), 1);
        assert_eq!(queue.take(0, 1).len(), 0);
        assert_eq!(queue.len(), 1);
    }

    #[test]
    fn a_message_is_counted_once_and_as_long_as_it_waits_somewhere() {
        let total = Total::default();
        let mut queues = [8, 8, 1].map(|most| Queue::new(most, total.clone()));
        let first = message(1, None);
        queues.iter_mut().for_each(|queue| queue.push(Arc::clone(&first)));
        assert_eq!(total.bytes(), first.weight(), "once, however many queues have it");
        // One is full, one is emptied, from one it is taken.
        let second = message(2, None);
        queues[2].push(Arc::clone(&second));
        queues[1].clear();
        assert_eq!(total.bytes(), first.weight() + second.weight());
        let taken = queues[0].take(1, usize::MAX);
        assert_eq!(total.bytes(), second.weight(), "what was taken waits no more, whoever has it still");
        queues[0].put_back(taken);
        assert_eq!(total.bytes(), first.weight() + second.weight());
        drop(queues);
        assert_eq!(total.bytes(), 0);
    }
}
