//! An answer that needed nothing of the request's body: the connection goes on where the rest is near, and says that it ends where it is not.

use super::House;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// One answer on a connection that may go on: its head.
async fn answer(stream: &mut BufReader<TlsStream<TcpStream>>) -> String {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(stream.read_line(&mut head).await.unwrap() > 0, "closed after {head:?}");
    }
    let head = head.to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |l| l.parse().unwrap());
    stream.read_exact(&mut vec![0; length]).await.unwrap();
    head
}

fn head(more: &str) -> String {
    format!("TRACE /api/v1/tokens HTTP/1.1\r\nHost: localhost\r\n{more}\r\n")
}

#[tokio::test]
async fn a_body_that_nobody_read_is_read_to_its_end_and_the_connection_goes_on() {
    let house = House::open().await;
    let mut stream = BufReader::new(house.connect(&["http/1.1"]).await);
    for _ in 0..3 {
        stream.write_all(head("Content-Length: 84\r\n").as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        // In a record of its own, as many clients send it: the answer to the head is ready before it.
        stream.write_all(&[b'*'; 84]).await.unwrap();
        let head = answer(&mut stream).await;
        assert!(head.starts_with("http/1.1 405") && !head.contains("connection: close"), "{head}");
    }
}

#[tokio::test]
async fn what_is_too_long_to_read_for_nothing_ends_the_connection_and_the_answer_says_so() {
    let house = House::open().await;
    for more in ["Content-Length: 10000000\r\n", "Content-Length: 84\r\nExpect: 100-continue\r\n"] {
        let mut stream = BufReader::new(house.connect(&["http/1.1"]).await);
        stream.write_all(head(more).as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        let head = answer(&mut stream).await;
        assert!(head.starts_with("http/1.1 405") && head.contains("connection: close"), "{head}");
    }
}
