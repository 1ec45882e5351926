//! The proxy of the fault suite, in front of a server that sends every byte back.
#![allow(clippy::unwrap_used, reason = "a test that has no proxy has failed")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use auscult_tests::TcpProxy;

/// A server that sends every byte back, and a client connected to it through the proxy.
fn echo() -> TcpProxy {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let mut reader = stream.try_clone().unwrap();
                let mut writer = stream;
                let _ = std::io::copy(&mut reader, &mut writer);
            });
        }
    });
    TcpProxy::start(port).unwrap()
}

fn connect(proxy: &TcpProxy) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", proxy.port())).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    stream
}

fn request(api_key: i16) -> Vec<u8> {
    [6_i32.to_be_bytes().as_slice(), &api_key.to_be_bytes(), b"abcd"].concat()
}

fn ask(stream: &mut TcpStream, api_key: i16) -> std::io::Result<Duration> {
    let begun = Instant::now();
    stream.write_all(&request(api_key))?;
    let mut answer = [0; 10];
    stream.read_exact(&mut answer)?;
    assert_eq!(answer.as_slice(), request(api_key));
    Ok(begun.elapsed())
}

#[test]
fn what_goes_in_comes_out_and_a_delay_delays_it() {
    let proxy = echo();
    let mut stream = connect(&proxy);
    ask(&mut stream, 0).unwrap();
    proxy.delay(Duration::from_millis(100));
    assert!(ask(&mut stream, 0).unwrap() >= Duration::from_millis(200));
}

#[test]
fn a_cut_closes_connections_and_lets_none_in_until_it_is_restored() {
    let proxy = echo();
    let mut stream = connect(&proxy);
    ask(&mut stream, 0).unwrap();
    proxy.cut();
    assert!(ask(&mut stream, 0).is_err());
    assert!(ask(&mut connect(&proxy), 0).is_err());
    assert_eq!(proxy.closed(), 2);
    proxy.restore();
    ask(&mut connect(&proxy), 0).unwrap();
}

#[test]
fn a_half_closed_connection_gives_no_answer() {
    let proxy = echo();
    let mut stream = connect(&proxy);
    stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    proxy.half_close();
    assert!(ask(&mut stream, 0).is_err());
    proxy.restore();
    ask(&mut connect(&proxy), 0).unwrap();
}

#[test]
fn only_requests_of_the_named_api_are_held() {
    let proxy = echo();
    proxy.hold_requests(26, Duration::from_millis(300), false);
    let mut stream = connect(&proxy);
    assert!(ask(&mut stream, 0).unwrap() < Duration::from_millis(250));
    assert!(ask(&mut stream, 26).unwrap() >= Duration::from_millis(300));
    assert_eq!(proxy.held(), 1);
}

#[test]
fn a_request_of_a_dropped_client_still_reaches_the_broker_late() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let proxy = TcpProxy::start(listener.local_addr().unwrap().port()).unwrap();
    proxy.hold_requests(26, Duration::from_millis(300), true);
    let mut client = connect(&proxy);
    let (mut broker, _) = listener.accept().unwrap();
    let begun = Instant::now();
    client.write_all(&request(26)).unwrap();
    assert_eq!(client.read(&mut [0; 1]).unwrap_or(0), 0, "the client's connection is closed");
    assert!(begun.elapsed() < Duration::from_millis(250));
    let mut arrived = [0; 10];
    broker.read_exact(&mut arrived).unwrap();
    assert_eq!(arrived.as_slice(), request(26));
    assert!(begun.elapsed() >= Duration::from_millis(300));
}

#[test]
fn connections_that_are_dropped_may_come_again_at_once() {
    let proxy = echo();
    let mut stream = connect(&proxy);
    ask(&mut stream, 0).unwrap();
    proxy.drop_connections();
    assert!(ask(&mut stream, 0).is_err());
    ask(&mut connect(&proxy), 0).unwrap();
    assert_eq!(proxy.closed(), 1);
}

#[test]
fn what_was_stalled_comes_when_it_is_over_over_the_same_connection() {
    let proxy = echo();
    let mut stream = connect(&proxy);
    ask(&mut stream, 0).unwrap();
    proxy.stall();
    stream.write_all(&request(0)).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    let mut answer = [0; 10];
    assert!(stream.read(&mut answer).is_err(), "nothing passes");
    proxy.restore();
    stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer.as_slice(), request(0));
    ask(&mut stream, 0).unwrap();
}

#[test]
fn a_throttle_makes_bytes_take_their_time() {
    let proxy = echo();
    let mut stream = connect(&proxy);
    proxy.throttle(Some(100));
    // Ten bytes each way.
    assert!(ask(&mut stream, 0).unwrap() >= Duration::from_millis(200));
    proxy.throttle(None);
    assert!(ask(&mut stream, 0).unwrap() < Duration::from_millis(150));
}

#[test]
fn requests_are_held_no_longer_when_their_api_is_released() {
    let proxy = echo();
    proxy.hold_requests(26, Duration::from_secs(30), false);
    proxy.release_api(26);
    ask(&mut connect(&proxy), 26).unwrap();
    assert_eq!(proxy.held(), 0);
}
