"""A client of gRPC's tutorial service in Python: all four kinds of calls, with no code of Millrace's.

It needs two packages, and takes the service from its .proto file:

    python3 -m venv /tmp/route-guide
    /tmp/route-guide/bin/pip install grpcio grpcio-tools
    make example NAME=routeguide                                    # once: loads the features
    /tmp/route-guide/bin/python examples/routeguide/route_guide_client.py --seed 1 --latitude 1

It prints, the first time ("say" and "hear" take turns as they come):

    GetFeature
      Berkshire Valley Management Area Trail, Jefferson, NJ, USA at (40.9146, -74.6189)
      nothing at (0.0000, 0.0000)
    ListFeatures
      517-521 Huntington Drive, Manchester Township, NJ 08759, USA at (40.0106, -74.2870)
      349 Sea Spray Court, Neptune City, NJ 07753, USA at (40.1827, -74.0295)
      330 Evelyn Avenue, Hamilton Township, NJ 08619, USA at (40.2647, -74.7072)
      64 features in all
    RecordRoute
      10 points, 9 features passed
      9232571 m in 0 s
    RouteChat
      say  First message at (1, 0)
      say  Second message at (1, 1)
      say  Third message at (1, 2)
      say  Fourth message at (1, 0)
      say  Fifth message at (1, 1)
      hear First message at (1, 0)
      hear Second message at (1, 1)
"""

import argparse
import pathlib
import random
import sys

import grpc

PROTO_FOLDER = pathlib.Path(__file__).resolve().parents[2] / "proto" / "spoken"
sys.path.insert(0, str(PROTO_FOLDER))
pb2, pb2_grpc = grpc.protos_and_services("routeguide/route_guide.proto")


def place(point):
    return f"({point.latitude / 1e7:.4f}, {point.longitude / 1e7:.4f})"


def get_feature(stub):
    """One request, one response. There is nothing at the second place, which is an answer, too."""
    for latitude, longitude in ((409146138, -746188906), (0, 0)):
        feature = stub.GetFeature(pb2.Point(latitude=latitude, longitude=longitude))
        print(f"  {feature.name or 'nothing'} at {place(feature.location)}")


def list_features(stub):
    """One request, a stream of responses. Returns them."""
    rectangle = pb2.Rectangle(
        lo=pb2.Point(latitude=400000000, longitude=-750000000),
        hi=pb2.Point(latitude=420000000, longitude=-730000000),
    )
    features = list(stub.ListFeatures(rectangle))
    for feature in features[:3]:
        print(f"  {feature.name} at {place(feature.location)}")
    print(f"  {len(features)} features in all")
    return features


def record_route(stub, features, chance):
    """A stream of requests, one response."""
    points = [chance.choice(features).location for _ in range(9)] + [pb2.Point(latitude=0, longitude=0)]
    summary = stub.RecordRoute(iter(points))
    print(f"  {summary.point_count} points, {summary.feature_count} features passed")
    print(f"  {summary.distance} m in {summary.elapsed_time} s")


def route_chat(stub, latitude):
    """Streams both ways. The fourth and the fifth note are at places that have one already."""
    notes = (("First", 0), ("Second", 1), ("Third", 2), ("Fourth", 0), ("Fifth", 1))

    def say():
        for name, longitude in notes:
            print(f"  say  {name} message at ({latitude}, {longitude})")
            yield pb2.RouteNote(
                location=pb2.Point(latitude=latitude, longitude=longitude),
                message=f"{name} message",
            )

    for note in stub.RouteChat(say()):
        print(f"  hear {note.message} at ({note.location.latitude}, {note.location.longitude})")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--address", default="127.0.0.1:50051")
    parser.add_argument("--latitude", type=int, default=random.randrange(900000000), help="where the notes are left")
    parser.add_argument("--seed", type=int, help="for a route that can be repeated")
    options = parser.parse_args()
    with grpc.insecure_channel(options.address) as channel:
        stub = pb2_grpc.RouteGuideStub(channel)
        print("GetFeature")
        get_feature(stub)
        print("ListFeatures")
        features = list_features(stub)
        print("RecordRoute")
        record_route(stub, features, random.Random(options.seed))
        print("RouteChat")
        route_chat(stub, options.latitude)


if __name__ == "__main__":
    main()
