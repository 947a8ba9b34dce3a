//! The sessions of one bot, and who reads them.

use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedSender;

/// What is to go over a connection.
#[derive(Debug)]
pub(super) enum Out {
    Text(String),
    Close(u16),
}

/// Where a connection takes what is to go over it, and its number.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) number: usize,
    pub(super) out: UnboundedSender<Out>,
}

#[derive(Debug)]
struct Session {
    id: String,
    /// All events; the first has sequence 1.
    events: Vec<String>,
    line: Option<Line>,
}

#[derive(Debug, Default)]
pub(super) struct Sessions {
    sessions: Vec<Session>,
    lines: Vec<Line>,
    begun: usize,
    pub(super) connections: usize,
    pub(super) identifies: usize,
    pub(super) resumes: Vec<u64>,
    pub(super) most_live: usize,
    pub(super) farewells: Vec<u16>,
    pub(super) refuse_with: Option<u16>,
    /// The code with which a session that is not known is closed, in place of op 9.
    pub(super) ended_with: Option<u16>,
}

impl Line {
    fn send(&self, out: Out) {
        // A connection that has just ended takes nothing more.
        drop(self.out.send(out));
    }
}

impl Sessions {
    /// A connection has come.
    pub(super) fn connected(&mut self, out: UnboundedSender<Out>) -> Line {
        self.begun += 1;
        self.connections += 1;
        let number = self.begun;
        let line = Line { number, out };
        self.lines.push(line.clone());
        line
    }

    /// A connection has gone; its session waits to be resumed.
    pub(super) fn disconnected(&mut self, line: &Line) {
        self.connections -= 1;
        self.lines.retain(|other| other.number != line.number);
        for session in &mut self.sessions {
            session.line.take_if(|reader| reader.number == line.number);
        }
    }

    /// Begins a session over a connection, if it may.
    pub(super) fn identify(&mut self, line: &Line, ready: impl FnOnce(&str) -> Value) {
        self.identifies += 1;
        if let Some(code) = self.refuse_with {
            return line.send(Out::Close(code));
        }
        let id = format!("session-{}", self.identifies);
        let ready = ready(&id);
        self.sessions.push(Session {
            id,
            events: Vec::new(),
            line: Some(line.clone()),
        });
        let session = self.sessions.last_mut().unwrap();
        session.dispatch("READY", ready);
        self.most_live = self.most_live.max(self.live());
    }

    /// Goes on with a session behind a sequence, if it is known. Who read it before is cut off.
    pub(super) fn resume(&mut self, line: &Line, id: &str, sequence: u64) {
        self.resumes.push(sequence);
        let Some(session) = self.sessions.iter_mut().find(|session| session.id == id) else {
            let invalid = || Out::Text(r#"{"op":9,"d":false,"s":null,"t":null}"#.to_owned());
            return line.send(self.ended_with.map_or_else(invalid, Out::Close));
        };
        if let Some(before) = session.line.replace(line.clone()) {
            before.send(Out::Close(4000));
        }
        let missed = usize::try_from(sequence).unwrap();
        for event in &session.events[missed..] {
            line.send(Out::Text(event.clone()));
        }
        session.dispatch("RESUMED", json!({}));
        self.most_live = self.most_live.max(self.live());
    }

    /// Tells the newest session of an event.
    pub(super) fn dispatch(&mut self, name: &str, data: Value) -> u64 {
        let session = self.sessions.last_mut().expect("the bot has a session");
        session.dispatch(name, data)
    }

    pub(super) fn live(&self) -> usize {
        self.sessions
            .iter()
            .filter(|session| session.line.is_some())
            .count()
    }

    pub(super) fn send_all(&self, text: &str) {
        for line in &self.lines {
            line.send(Out::Text(text.to_owned()));
        }
    }

    pub(super) fn close_all(&self, code: u16) {
        for line in &self.lines {
            line.send(Out::Close(code));
        }
    }

    pub(super) fn forget(&mut self) {
        self.sessions.clear();
    }
}

impl Session {
    fn dispatch(&mut self, name: &str, data: Value) -> u64 {
        let sequence = self.events.len() as u64 + 1;
        let event = json!({"op": 0, "s": sequence, "t": name, "d": data}).to_string();
        if let Some(line) = &self.line {
            line.send(Out::Text(event.clone()));
        }
        self.events.push(event);
        sequence
    }
}
