//! Public web pages. They need `[capabilities.web]` in servlet.toml, which the operator is shown as a
//! danger: prefer an http capability for sites that you know.

use serde::{Deserialize, Serialize};

use crate::abi;
use crate::error::HostError;
use crate::http::{Headers, Response};
use crate::operation::{sealed, Answer, Answered, Pending};

/// Asks for one public page.
#[derive(Debug, Clone)]
pub struct PageRequest {
    url: String,
    method: &'static str,
    headers: Headers,
}

#[derive(Serialize)]
struct Head<'a> {
    url: &'a str,
    method: &'a str,
    #[serde(skip_serializing_if = "Headers::is_empty")]
    headers: &'a Headers,
}

impl PageRequest {
    /// A GET request of a full http or https URL. Its host is a public DNS name: Writ refuses IP
    /// addresses, names of inner networks, user names, and whatever resolves to an address that is not
    /// public.
    pub fn get(url: &str) -> PageRequest {
        PageRequest { url: url.into(), method: "GET", headers: Headers::default() }
    }

    /// A HEAD request, as [`PageRequest::get`] makes it: the page's head alone.
    pub fn head(url: &str) -> PageRequest {
        PageRequest { method: "HEAD", ..PageRequest::get(url) }
    }

    /// Adds a header field: Accept, Accept-Language, User-Agent or a conditional one. Credentials are
    /// refused.
    pub fn header(mut self, name: &str, value: &str) -> PageRequest {
        self.headers.add(name, value);
        self
    }

    /// Starts to fetch the page and does not wait for it.
    pub fn start(&self) -> Result<Pending<Page>, HostError> {
        let PageRequest { url, method, headers } = self;
        let head = crate::call::to_json(&Head { url, method, headers });
        Pending::started(abi::start_web(&head, &[]), [method, " ", url].concat())
    }

    /// Fetches the page and waits for all of it; redirects are followed. A status of 400 or above is a
    /// page, not an error.
    pub fn send(&self) -> Result<Page, HostError> {
        self.start()?.wait()
    }
}

/// A page as it came back.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// Where it was after redirects, without a fragment.
    pub url: String,
    /// The page itself.
    pub response: Response,
}

#[derive(Deserialize)]
struct AnswerHead {
    url: String,
    status: u16,
    headers: Headers,
}

impl Answered for Page {}
impl sealed::Answered for Page {
    fn from_answer(answer: Answer) -> Result<Page, HostError> {
        let AnswerHead { url, status, headers } = answer.head()?;
        Ok(Page { url, response: Response { status, headers, body: answer.body } })
    }
}
